// What is due by the rules of health, and what stands in its way: written down a second time, from the votes and the records.
import type { Cause, CellState, HealthRecord, HomeRule, Vote } from '../../router/health/record.ts';
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
  if (counting.length * 2 <= situation.voters.length) return 'suspect-release';
  if (neighbour === null || neighbour === home || !situation.is('up', neighbour)) return 'no-target';
  const standIn = situation.recordOf(neighbour);
  if (standIn.state === 'drained' || leansOn(standIn, home)) return 'no-target';
  if (!situation.records.has(home) && hasGuestsOfBefore(neighbour, situation)) return 'no-target';
  if (situation.asking.requiresStandby && !situation.hasStandby(neighbour, home)) return 'no-standby';
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
export function dwellOf({ relapses }: HealthRecord, { asking: { minDwellMs } }: Situation): number {
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

/** What a home that is held back is counted as. */
export function namesOfHeld(why: string, record: HealthRecord, situation: Situation): string[] {
  const { home, neighbour } = record;
  const isNew = !situation.records.has(home) && neighbour !== null && situation.is('up', neighbour);
  const taken = why === 'no-target' && isNew && hasGuestsOfBefore(neighbour, situation);
  return taken ? [why, 'no-target, guests of before'] : [why];
}

/** Whether a home has somebody away at the cell, which the file gives to one home at most. */
export function hasGuestsOfBefore(cell: string, situation: Situation): boolean {
  const named = situation.asking.homes.filter(({ neighbour }) => neighbour === cell);
  const guests = [...situation.records.values()].filter((one) => one.neighbour === cell && anyAway(one));
  return named.length < 2 && guests.length > 0;
}
