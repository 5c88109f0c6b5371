// What a decision is made of: its input, the change of a record, and the event that says why. Pure.
import {
  initialRecord,
  type Cause,
  type EventEntry,
  type HealthRecord,
  type HeldWhy,
  type HomeRule,
} from './record.ts';
import { sortedRouters, voteOf, type LiveVotes } from './tally.ts';

/** An event names the votes of this many machines at most. */
const EVENT_VOTES_MAX = 20;

/** What a decision goes by. Times are epoch milliseconds of the store's clock. */
export type DecideInput = {
  now: number;
  /** Machine → its opinion per cell, of the machines that still beat. */
  live: LiveVotes;
  homes: readonly HomeRule[];
  records: ReadonlyMap<string, HealthRecord>;
  minDwellMs: number;
  neighbourLostMs: number;
  /** 0–1 of the fleet's weight. */
  maxFailedOver: number;
  /** The machines that beat may not be all there are: nothing is decided yet. */
  warmingUp: boolean;
  /** Home that is away → when its neighbour was first seen down. */
  lost: ReadonlyMap<string, number>;
  /** Home that is held back → why, as the last event said. */
  held: ReadonlyMap<string, HeldWhy>;
};

/** How a record changes. */
export type Step = {
  state: 'serving' | 'failed-over';
  target: string;
  cause: Cause;
  reason: string;
  deadline: number | null;
};

/** The record after a step, one epoch on. What the step is not about stays as it is. */
export function stepped(
  record: HealthRecord,
  neighbour: string | null,
  step: Step,
  now: number,
): HealthRecord {
  const away = step.state === 'failed-over';
  return {
    ...record,
    neighbour,
    state: step.state,
    target: step.target,
    epoch: record.epoch + 1,
    share: away ? 100 : 0,
    shareBefore: away ? 0 : 100,
    deadline: step.deadline,
    since: now,
    cause: step.cause,
  };
}

/** The event of a change by verdict. `from` and `to` are the same where a home is held back. */
export function eventOf(
  from: HealthRecord,
  to: HealthRecord,
  said: { cause: Cause; reason: string; details: Record<string, unknown> },
  { now, live }: Pick<DecideInput, 'now' | 'live'>,
): EventEntry {
  return {
    at: now,
    cell: from.home,
    from: from.state,
    to: to.state,
    epoch: to.epoch,
    cause: said.cause,
    actor: 'quorum',
    reason: said.reason,
    details: { ...said.details, votes: opinionsOf(live, from.home) },
  };
}

/** What the first twenty machines say of the cell. */
export function opinionsOf(live: LiveVotes, cell: string): Record<string, string> {
  const routers = sortedRouters(live).slice(0, EVENT_VOTES_MAX);
  return Object.fromEntries(
    routers.map((router) => [router, voteOf(live, router, cell)?.opinion ?? 'unknown']),
  );
}

/** The stored record of a home, or that of a home that never changed. */
export function recordIn(records: ReadonlyMap<string, HealthRecord>, home: string): HealthRecord {
  return records.get(home) ?? initialRecord(home, null);
}
