// What a machine may say: its words end in the audit log and in every router's memory, so they are bounded on the way in.
import type { Evidence, Vote } from '../record.ts';
import { MARKS_MAX, type Refusals } from '../store.ts';

/** Leaves room for the count before it (`2 of 3 routers: `) within an event's 200 characters. */
const REASON_MAX = 150;
const MARK_MAX = 64;

/** The same votes, each reason cut to 150 characters of well-formed Unicode. */
export function boundedVotes(votes: Readonly<Record<string, Vote>>): Record<string, Vote> {
  return Object.fromEntries(
    Object.entries(votes).map(([cell, vote]) => [
      cell,
      vote.opinion === 'up' ? vote : { ...vote, reason: vote.reason.slice(0, REASON_MAX).toWellFormed() },
    ]),
  );
}

/** The same refusals, less what is more than 2,000 marks in all; each mark cut to 64 characters. */
export function boundedRefusals(refused: readonly Refusals[]): Refusals[] {
  let left = MARKS_MAX;
  const bounded = refused.map(({ home, epoch, marks }) => {
    const kept = marks.slice(0, left).map((mark) => mark.slice(0, MARK_MAX).toWellFormed());
    left -= kept.length;
    return { home, epoch, marks: kept };
  });
  return bounded.filter(({ marks }) => marks.length > 0);
}

/**
 * Votes as they travel: most of them are `up`, and mostly all machines say so of the same cells, so that the script
 * reads equal lists once. Cells in the order of their names.
 */
export type CompactVotes = {
  up: string[];
  /** Up, and says that it has caught up. */
  caughtUp: string[];
  /** Up, and says that it has not. */
  lagging: string[];
  /** Each evidence, reason and suspect (or ''), with the cells that they are said of. */
  down: [evidence: Evidence, reason: string, suspect: 'release' | '', cells: string[]][];
  /** `<cell> <home>`: the cell is up, and its standby of that home is synced. Mostly as many as there are homes. */
  standbys: string[];
};

export function compactVotes(votes: Readonly<Record<string, Vote>>): CompactVotes {
  const compact: CompactVotes = { up: [], caughtUp: [], lagging: [], down: [], standbys: [] };
  const groups = new Map<string, string[]>();
  for (const [cell, vote] of Object.entries(votes).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (vote.opinion === 'down') groupOf(compact, groups, vote).push(cell);
    else {
      listOf(compact, vote.caughtUp).push(cell);
      for (const home of vote.standbys ?? []) compact.standbys.push(`${cell} ${home}`);
    }
  }
  return compact;
}

function listOf(compact: CompactVotes, caughtUp: boolean | undefined): string[] {
  if (caughtUp === undefined) return compact.up;
  return caughtUp ? compact.caughtUp : compact.lagging;
}

function groupOf(
  { down }: CompactVotes,
  groups: Map<string, string[]>,
  { evidence, reason, suspect }: Extract<Vote, { opinion: 'down' }>,
): string[] {
  const key = `${evidence} ${suspect ?? ''} ${reason}`;
  const cells = groups.get(key) ?? [];
  if (cells.length === 0) {
    groups.set(key, cells);
    down.push([evidence, reason, suspect ?? '', cells]);
  }
  return cells;
}
