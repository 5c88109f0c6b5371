// What a decision is made of: its input, and the event that says why a record changed. Pure.
import { anyAway, isAwayByVerdict, putBack } from './handover.ts';
import {
  initialRecord,
  type Cause,
  type EventEntry,
  type HealthRecord,
  type HeldWhy,
  type HomeRule,
} from '../record.ts';
import type { Confirmation } from '../store.ts';
import { sortedRouters, voteOf, type LiveVotes } from './tally.ts';

/** An event names the votes of this many machines at most. */
const EVENT_VOTES_MAX = 20;

/** What a decision goes by. Times are epoch milliseconds of the store's clock. */
export type DecideInput = {
  now: number;
  /** Machine → its opinion per cell, of the machines that still beat. */
  live: LiveVotes;
  /** Process, by `machineName`, → how far it is with each home's handover: all live ones, though of a router one alone votes. */
  confirmations: ReadonlyMap<string, Readonly<Record<string, Confirmation>>>;
  homes: readonly HomeRule[];
  records: ReadonlyMap<string, HealthRecord>;
  minDwellMs: number;
  neighbourLostMs: number;
  handoverMs: number;
  /** Tenants go to a neighbour only where its standby of their home is synced. */
  requiresStandby: boolean;
  /** 0–1 of the fleet's weight. */
  maxFailedOver: number;
  /** The machines that beat may not be all there are: nothing is decided yet. */
  warmingUp: boolean;
  /** All live machines speak of handovers: else none begins. */
  handsOver: boolean;
  /** `homes` are those of the fleet in force, and every live machine has loaded it. */
  oneFleet: boolean;
  /** Home that is away → when its neighbour was first seen down. */
  lost: ReadonlyMap<string, number>;
  /** Home that is held back → why, as the last event said. */
  held: ReadonlyMap<string, HeldWhy>;
};

/** The record when all tenants are given to one cell at once, by no handover; one that is under way is put back first. */
export function atOnce(
  record: HealthRecord,
  to: Pick<HealthRecord, 'state' | 'share' | 'cause' | 'deadline' | 'relapses'>,
  now: number,
): HealthRecord {
  const before = putBack(record);
  const { home, neighbour } = before;
  const pins = to.share > 0 ? before.pins : pinsAtHome(before);
  return {
    ...before,
    ...to,
    target: to.share > 0 ? (neighbour ?? home) : home,
    epoch: record.epoch + 1,
    shareBefore: before.share,
    operation: null,
    since: now,
    pins,
    returned: to.share === 0 && isAwayByVerdict(before) ? now : before.returned,
    undone: 0,
  };
}

/** A neighbour that is gone serves nobody, whoever is pinned to it. */
function pinsAtHome({ home, pins }: HealthRecord): HealthRecord['pins'] {
  return Object.fromEntries(Object.entries(pins).filter(([, { cell }]) => cell === home));
}

/** What an event says of a change; `details` beside the votes. */
export type Said = { actor?: string; cause: Cause; reason: string; details: Record<string, unknown> };

/** A changed record, and what its event says. */
export type Changed = { record: HealthRecord; said: Said };

/** The event of a change. `from` and `to` are the same where a home is held back. */
export function eventOf(
  from: Pick<HealthRecord, 'home' | 'state'>,
  to: Pick<HealthRecord, 'state' | 'epoch'>,
  { actor = 'quorum', cause, reason, details }: Said,
  { now, live }: Pick<DecideInput, 'now' | 'live'>,
): EventEntry {
  return {
    at: now,
    cell: from.home,
    from: from.state,
    to: to.state,
    epoch: to.epoch,
    cause,
    actor,
    reason,
    details: { ...details, votes: opinionsOf(live, from.home) },
  };
}

/** What the events of a handover say of its record. */
export function handoverDetails(
  record: HealthRecord,
  phase: 'closing' | 'open' | 'undone',
): Record<string, unknown> {
  const { share, shareBefore, operation, target } = record;
  return { phase, share, shareBefore, operation, target };
}

/** What the first twenty machines say of the cell. */
function opinionsOf(live: LiveVotes, cell: string): Record<string, string> {
  const routers = sortedRouters(live).slice(0, EVENT_VOTES_MAX);
  return Object.fromEntries(
    routers.map((router) => [router, voteOf(live, router, cell)?.opinion ?? 'unknown']),
  );
}

/** The stored record of a home, or that of a home that never changed. */
export function recordIn(
  records: ReadonlyMap<string, HealthRecord>,
  home: string,
  neighbour: string | null = null,
): HealthRecord {
  return records.get(home) ?? initialRecord(home, neighbour);
}

/** Whether nothing of the home is under way or away: it can be given tenants, or another neighbour. */
export function isQuiet(record: HealthRecord): boolean {
  return record.state === 'serving' && record.phase === 'open' && !anyAway(record);
}
