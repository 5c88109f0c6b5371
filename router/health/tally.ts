// The count of the votes: what the live machines say of one cell. Pure; `scripts/beat.lua` counts the same.
import type { Cause, Vote } from './record.ts';

/** Machine → its opinion per cell, of the machines that still beat. */
export type LiveVotes = ReadonlyMap<string, Readonly<Record<string, Vote>>>;

export type Tally = {
  /** What more than half of the live machines say; null: there is no such majority. */
  verdict: 'up' | 'down' | null;
  up: number;
  down: number;
  /** `self-declared` when most of the down votes say so, else `unreachable`. */
  evidence: Extract<Cause, 'unreachable' | 'self-declared'>;
  /** The most frequent reason of the down votes; of equally frequent ones that of the first machine by name. */
  reason: string;
};

/** Counts the votes on one cell. */
export function tally(live: LiveVotes, cell: string): Tally {
  const reasons = new Map<string, number>();
  let up = 0;
  let down = 0;
  let selfDeclared = 0;
  for (const router of sortedRouters(live)) {
    const vote = voteOf(live, router, cell);
    if (vote?.opinion === 'up') up += 1;
    if (vote?.opinion !== 'down') continue;
    down += 1;
    if (vote.evidence === 'self-declared') selfDeclared += 1;
    reasons.set(vote.reason, (reasons.get(vote.reason) ?? 0) + 1);
  }
  return {
    verdict: up * 2 > live.size ? 'up' : down * 2 > live.size ? 'down' : null,
    up,
    down,
    evidence: selfDeclared * 2 > down ? 'self-declared' : 'unreachable',
    reason: mostFrequent(reasons),
  };
}

/** The first of the most frequent ones. */
function mostFrequent(reasons: ReadonlyMap<string, number>): string {
  let best = '';
  let most = 0;
  for (const [reason, count] of reasons) {
    if (count <= most) continue;
    best = reason;
    most = count;
  }
  return best;
}

/** One machine's vote on a cell; undefined: it has no opinion yet. */
export function voteOf(live: LiveVotes, router: string, cell: string): Vote | undefined {
  const votes = live.get(router);
  return votes !== undefined && Object.hasOwn(votes, cell) ? votes[cell] : undefined;
}

/** The names of the live machines, in the order in which they are counted and shown. */
export function sortedRouters(live: ReadonlyMap<string, unknown>): string[] {
  return [...live.keys()].sort((a, b) => (a < b ? -1 : 1));
}
