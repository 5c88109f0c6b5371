// What must begin by itself, by the rules of health: steps home, the end of pins, a new neighbour. A second account, as verdict-due.ts.
import type { Cause, HealthRecord, HomeRule } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import { dwellOf, hasGuestsOfBefore } from './verdict-due.ts';
import { isQuiet, leansOn } from './verdict-records.ts';
import type { Situation } from './verdict-situation.ts';

const TEN_MINUTES = 600_000;

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
  const ready =
    to === record.home ? situation.hasCaughtUp(to) : !isStandbyLacking(to ?? '', record.home, situation);
  return able && ready ? { kind: 'unpin', tenant, moves: true } : null;
}

function isStandbyLacking(cell: string, home: string, situation: Situation): boolean {
  return situation.asking.requiresStandby && !situation.hasStandby(cell, home);
}

/** Whether a home that never changed must keep the neighbour that it has by the file. */
export function isKeepingDue({ home, neighbour }: HomeRule, situation: Situation): boolean {
  if (!situation.asking.requiresStandby || !situation.oneFleet || situation.records.has(home)) return false;
  if (neighbour === null || neighbour === home || !situation.is('up', neighbour)) return false;
  return situation.hasStandby(neighbour, home) && !hasGuestsOfBefore(neighbour, situation);
}

/** Whether the home must take the neighbour that the fleet in force gives it, and what keeps it from that. */
export function isNeighbourDue(
  record: HealthRecord,
  rule: HomeRule,
  situation: Situation,
): boolean | 'later' | 'unsynced' {
  const { home, neighbour } = rule;
  if (!situation.oneFleet || !situation.records.has(home) || !isQuiet(record)) return false;
  if (neighbour === record.neighbour || neighbour === home) return false;
  if (neighbour === null) return true;
  if (!situation.is('up', neighbour) || leansOn(situation.recordOf(neighbour), home)) return false;
  if (hasGuestsOfBefore(neighbour, situation)) return 'later';
  return isStandbyLacking(neighbour, home, situation) ? 'unsynced' : true;
}
