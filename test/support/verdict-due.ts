// What is due by the rules of health, and what stands in its way: written down a second time, from the votes and the records.
import type { Cause, CellState, HealthRecord, HomeRule, Vote } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/served-by.ts';
import { anyAway, asItWas, isPinChange, isQuiet, leansOn } from './verdict-records.ts';
import type { Situation } from './verdict-situation.ts';

type Down = Extract<Vote, { opinion: 'down' }>;

const AWAY: CellState[] = ['failed-over', 'returning'];
const ON_PURPOSE: (Cause | null)[] = ['operator', 'rollout', 'move', 'expired'];
const TEN_MINUTES = 600_000;

/** Whether a home that has anything away must take it back, since its neighbour is down. */
export function isNeighbourLost(record: HealthRecord, situation: Situation): boolean {
  const { home, neighbour } = record;
  const since = situation.lost.get(home);
  if (since === undefined || !situation.is('up', home) || !situation.is('down', neighbour)) return false;
  return situation.hasCaughtUp(home) || situation.now - since >= situation.asking.neighbourLostMs;
}

/** How the handover must end now; null: it may go on. */
export function endDue(record: HealthRecord, situation: Situation): 'open' | 'undone' | null {
  if (record.phase === 'open') return null;
  if (record.handover === null) return adoptedDue(record, situation);
  const { to, until } = record.handover;
  if (situation.isConfirmed(record)) {
    return to === null || isQuiet(situation.recordOf(to)) ? 'open' : 'undone';
  }
  const since = record.since ?? situation.now;
  return Math.abs(situation.now - since) >= until - since ? 'undone' : null;
}

/** What it was before is told by its share and by what had moved, but not by its pins. */
function adoptedDue(record: HealthRecord, situation: Situation): 'open' | 'undone' | null {
  if (!isPinChange(record)) return 'undone';
  return situation.confirmationsOf(record).every((one) => one?.held === true) ? 'open' : null;
}

/** Whether all of its tenants ought to be at its neighbour, and are not. */
export function isFailoverWanted({ home, share, phase }: HealthRecord, situation: Situation): boolean {
  return situation.is('down', home) && (share < 100 || phase === 'closing');
}

/** What keeps a home that is down from going to its neighbour now. */
export function obstacle(record: HealthRecord, rule: HomeRule, situation: Situation): string | null {
  const { home, neighbour } = record;
  if (!situation.warm) return 'warming-up';
  const calls = situation.votesOn(home).filter((vote): vote is Down => vote?.opinion === 'down');
  const counting = calls.filter((vote) => !(vote.evidence === 'failing' && vote.suspect === 'release'));
  if (counting.length * 2 <= situation.beats.size) return 'suspect-release';
  if (neighbour === null || neighbour === home || !situation.is('up', neighbour)) return 'no-target';
  const standIn = situation.recordOf(neighbour);
  if (standIn.state === 'drained' || leansOn(standIn, home)) return 'no-target';
  if (!situation.records.has(home) && hasGuestsOfBefore(neighbour, situation)) return 'no-target';
  return AWAY.includes(asItWas(record).state) ? null : overBudget(rule, situation);
}

function overBudget({ buckets, zone }: HomeRule, situation: Situation): 'budget' | null {
  const { homes, maxFailedOver } = situation.asking;
  const away = homes.filter((one) => {
    const { state, cause, neighbour } = asItWas(situation.recordOf(one.home));
    return AWAY.includes(state) && !ON_PURPOSE.includes(cause) && !situation.is('down', neighbour);
  });
  if (away.length === 0) return null;
  const zones = new Set(homes.map((one) => one.zone).filter((one) => one !== null));
  if (zone !== null && zones.size > 1 && away.every((one) => one.zone === zone)) return null;
  const sum = away.reduce((all, one) => all + one.buckets, buckets);
  return sum <= maxFailedOver * homes.reduce((all, one) => all + one.buckets, 0) ? null : 'budget';
}

/** The dwell of a home, with what its relapses make of it. */
function dwellOf({ relapses }: HealthRecord, { asking: { minDwellMs } }: Situation): number {
  return Math.max(minDwellMs, Math.min(minDwellMs * 2 ** relapses, TEN_MINUTES));
}

/** How many relapses a record counts when the home fails over now. */
export function relapsesAfter(record: HealthRecord, situation: Situation): number {
  const was = asItWas(record);
  const { returned } = record;
  const soon = returned !== null && Math.abs(situation.now - returned) < dwellOf(was, situation);
  return AWAY.includes(was.state) || soon ? Math.min(10, was.relapses + 1) : 0;
}

/** When the home last came home from a failover by verdict, once all of it is at home now. */
export function returnedAfter(record: HealthRecord, situation: Situation): number | null {
  const { state, cause } = asItWas(record);
  return AWAY.includes(state) && !ON_PURPOSE.includes(cause) ? situation.now : record.returned;
}

type Due = { kind: 'step'; share: number; cause: Cause } | { kind: 'unpin'; tenant: string; moves: boolean };

/** What must begin by itself with an open record; null: nothing. */
export function beginningDue(record: HealthRecord, situation: Situation): Due | null {
  const { home, undone } = record;
  if (record.phase === 'closing' || situation.isGaining(home)) return null;
  const backOff = undone === 0 ? 0 : situation.asking.handoverMs * 2 ** undone;
  if (stoodFor(record, situation) < Math.min(backOff, TEN_MINUTES)) return null;
  return stepDue(record, situation) ?? unpinDue(record, situation);
}

function stoodFor({ since }: HealthRecord, { now }: Situation): number {
  return since === null ? Number.POSITIVE_INFINITY : Math.abs(now - since);
}

/** Whether the last thing that happened is that fewer were to be away, and that this was undone. */
function isUndoneStep({ undone, share, shareBefore }: HealthRecord): boolean {
  return undone > 0 && shareBefore < share;
}

function stepDue(record: HealthRecord, situation: Situation): Due | null {
  const { home, neighbour, share, state, deadline, cause } = record;
  const able = situation.is('up', home) && situation.hasCaughtUp(home) && situation.is('up', neighbour);
  if (share === 0 || !able) return null;
  const step = (why: Cause): Due => ({
    kind: 'step',
    share: share > 90 ? 90 : share > 50 ? 50 : 0,
    cause: why,
  });
  // One that was undone is tried again after its back-off alone.
  const stood = isUndoneStep(record) ? Number.POSITIVE_INFINITY : stoodFor(record, situation);
  if (state === 'returning') {
    return stood >= situation.asking.minDwellMs / 4 ? step(cause ?? 'recovered') : null;
  }
  if (deadline !== null) return situation.now >= deadline ? step('expired') : null;
  if (state !== 'failed-over' || cause === 'operator') return null;
  return stood >= dwellOf(record, situation) ? step('recovered') : null;
}

/** The first of the expired pins that can end, after as many others as handovers were undone. */
function unpinDue(record: HealthRecord, situation: Situation): Due | null {
  const expired = Object.entries(record.pins).filter(([, { until }]) => until <= situation.now);
  expired.sort(([a, { until: one }], [b, { until: other }]) => one - other || (a < b ? -1 : 1));
  const later = expired.length === 0 ? 0 : record.undone % expired.length;
  const inTurn = [...expired.slice(later), ...expired.slice(0, later)];
  const ends = inTurn.map(([tenant]) => endOfPin(record, tenant, situation));
  return ends.find((end) => end !== null) ?? null;
}

function endOfPin(record: HealthRecord, tenant: string, situation: Situation): Due | null {
  const { [tenant]: _, ...pins } = record.pins;
  const [from, to] = [servedBy(record, tenant), servedBy({ ...record, pins }, tenant)];
  if (from === to) return { kind: 'unpin', tenant, moves: false };
  const able = situation.is('up', from) && situation.is('up', to);
  const caughtUp = to !== record.home || situation.hasCaughtUp(record.home);
  return able && caughtUp ? { kind: 'unpin', tenant, moves: true } : null;
}

/** Whether the home must take the neighbour that the fleet in force gives it, and what keeps it from that. */
export function isNeighbourDue(
  record: HealthRecord,
  rule: HomeRule,
  situation: Situation,
): boolean | 'later' {
  const { home, neighbour } = rule;
  if (!situation.oneFleet || !situation.records.has(home) || !isQuiet(record)) return false;
  if (neighbour === record.neighbour || neighbour === home) return false;
  if (neighbour === null) return true;
  if (!situation.is('up', neighbour) || leansOn(situation.recordOf(neighbour), home)) return false;
  return hasGuestsOfBefore(neighbour, situation) ? 'later' : true;
}

/** What a home that is held back is counted as. */
export function namesOfHeld(why: string, record: HealthRecord, situation: Situation): string[] {
  const { home, neighbour } = record;
  const isNew = !situation.records.has(home) && neighbour !== null && situation.is('up', neighbour);
  const taken = why === 'no-target' && isNew && hasGuestsOfBefore(neighbour, situation);
  return taken ? [why, 'no-target, guests of before'] : [why];
}

/** Whether a home has somebody away at the cell, which the file gives to one home at most. */
function hasGuestsOfBefore(cell: string, situation: Situation): boolean {
  const named = situation.asking.homes.filter(({ neighbour }) => neighbour === cell);
  const guests = [...situation.records.values()].filter((one) => one.neighbour === cell && anyAway(one));
  return named.length < 2 && guests.length > 0;
}
