// The count of the votes: what the live machines say of one cell. Pure; `scripts/tally.lua` counts the same.
import type { Cause, Vote } from '../record.ts';

/** Machine → its opinion per cell, of the machines that still beat. */
export type LiveVotes = ReadonlyMap<string, Readonly<Record<string, Vote>>>;

export type Tally = {
  /** What more than half of the live machines say; null: there is no such majority. */
  verdict: 'up' | 'down' | null;
  up: number;
  down: number;
  /**
   * Whether more than half of the live machines call for a failover. All down votes do but those that saw a fresh
   * release fail (`failing`, `suspect: 'release'`): the same release may be at the neighbour.
   */
  failover: boolean;
  /** Down votes that suspect the release, whatever else they saw. */
  suspects: number;
  /** Whether most of the up votes say that the cell has caught up, or have no such word. */
  caughtUp: boolean;
  /** `self-declared` when most of the down votes say so, else `unreachable`. */
  evidence: Extract<Cause, 'unreachable' | 'self-declared'>;
  /** The most frequent reason of the down votes; of equally frequent ones that of the first machine by name. */
  reason: string;
};

/** Counts the votes on one cell. */
export function tally(live: LiveVotes, cell: string): Tally {
  const votes = sortedRouters(live).map((router) => voteOf(live, router, cell));
  const ups = votes.filter((vote) => vote?.opinion === 'up');
  const downs = votes.filter((vote) => vote?.opinion === 'down');
  const majority = (count: number): boolean => count * 2 > live.size;
  return {
    verdict: majority(ups.length) ? 'up' : majority(downs.length) ? 'down' : null,
    up: ups.length,
    down: downs.length,
    failover: majority(
      downs.filter((vote) => vote.evidence !== 'failing' || vote.suspect === undefined).length,
    ),
    suspects: downs.filter((vote) => vote.suspect !== undefined).length,
    caughtUp: ups.filter((vote) => vote.caughtUp !== false).length * 2 > ups.length,
    evidence:
      downs.filter((vote) => vote.evidence === 'self-declared').length * 2 > downs.length
        ? 'self-declared'
        : 'unreachable',
    reason: mostFrequent(downs.map(({ reason }) => reason)),
  };
}

/** Whether more than half of the live machines' opinions of the cell say that its standby of this home is synced. */
export function hasSynced(live: LiveVotes, cell: string, home: string): boolean {
  const votes = [...live.keys()].flatMap((router) => voteOf(live, router, cell) ?? []);
  const synced = votes.filter((vote) => vote.opinion === 'up' && vote.standbys?.includes(home) === true);
  return synced.length * 2 > votes.length;
}

/** The first of the most frequent ones; '' where there is none. */
function mostFrequent(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  let best = '';
  let most = 0;
  for (const [reason, count] of counts) {
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
