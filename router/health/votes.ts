// What a machine may say: reasons end in the audit log and in every router's memory, so they are bounded on the way in.
import type { Vote } from './record.ts';

/** Leaves room for the count before it (`2 of 3 routers: `) within an event's 200 characters. */
const REASON_MAX = 150;

/** The same votes, each reason cut to 150 characters of well-formed Unicode. */
export function boundedVotes(votes: Readonly<Record<string, Vote>>): Record<string, Vote> {
  return Object.fromEntries(
    Object.entries(votes).map(([cell, vote]) => [
      cell,
      vote.opinion === 'up' ? vote : { ...vote, reason: vote.reason.slice(0, REASON_MAX).toWellFormed() },
    ]),
  );
}
