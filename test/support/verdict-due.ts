// What is due by the rules of health, and what stands in its way: written down a second time, from the votes and the records.
import type { Cause, CellState, HealthRecord, HomeRule, Vote } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/served-by.ts';
import { asItWas, isQuiet, leansOn } from './verdict-records.ts';
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
  if (record.handover === null) return 'undone';
  const { to, until } = record.handover;
  if (situation.isConfirmed(record)) {
    return to === null || isQuiet(situation.recordOf(to)) ? 'open' : 'undone';
  }
  const since = record.since ?? situation.now;
  return Math.abs(situation.now - since) >= until - since ? 'undone' : null;
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
  if (counting.length * 2 <= situation.voters.length) return 'suspect-release';
  if (neighbour === null || neighbour === home || !situation.is('up', neighbour)) return 'no-target';
  const standIn = situation.recordOf(neighbour);
  if (standIn.state === 'drained' || leansOn(standIn, home)) return 'no-target';
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
  const cameHome = ['recovered', 'expired', 'neighbour-lost'].includes(was.cause ?? '');
  const soon = was.since !== null && Math.abs(situation.now - was.since) < dwellOf(was, situation);
  return AWAY.includes(was.state) || (cameHome && soon) ? Math.min(10, was.relapses + 1) : 0;
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

function stepDue(record: HealthRecord, situation: Situation): Due | null {
  const { home, neighbour, share, state, deadline, cause } = record;
  const able = situation.is('up', home) && situation.hasCaughtUp(home) && situation.is('up', neighbour);
  if (share === 0 || !able) return null;
  const step = (why: Cause): Due => ({
    kind: 'step',
    share: share > 90 ? 90 : share > 50 ? 50 : 0,
    cause: why,
  });
  const stood = stoodFor(record, situation);
  if (state === 'returning') {
    return stood >= situation.asking.minDwellMs / 4 ? step(cause ?? 'recovered') : null;
  }
  if (deadline !== null) return situation.now >= deadline ? step('expired') : null;
  if (state !== 'failed-over' || cause === 'operator') return null;
  return stood >= dwellOf(record, situation) ? step('recovered') : null;
}

function unpinDue(record: HealthRecord, situation: Situation): Due | null {
  const expired = Object.entries(record.pins).filter(([, { until }]) => until <= situation.now);
  expired.sort(([a, { until: one }], [b, { until: other }]) => one - other || (a < b ? -1 : 1));
  const [tenant] = expired[0] ?? [];
  if (tenant === undefined) return null;
  const { [tenant]: _, ...pins } = record.pins;
  const [from, to] = [servedBy(record, tenant), servedBy({ ...record, pins }, tenant)];
  if (from === to) return { kind: 'unpin', tenant, moves: false };
  const able = situation.is('up', from) && situation.is('up', to);
  const caughtUp = to !== record.home || situation.hasCaughtUp(record.home);
  return able && caughtUp ? { kind: 'unpin', tenant, moves: true } : null;
}

/** Whether the home must take the neighbour that the fleet in force gives it. */
export function isNeighbourDue(record: HealthRecord, rule: HomeRule, situation: Situation): boolean {
  const { home, neighbour } = rule;
  if (!situation.oneFleet || !situation.records.has(home) || !isQuiet(record)) return false;
  if (neighbour === record.neighbour || neighbour === home) return false;
  return (
    neighbour === null || (situation.is('up', neighbour) && !leansOn(situation.recordOf(neighbour), home))
  );
}
