// The way home of a home that is away, decided from the votes. Pure; `scripts/way-home.lua` decides the same.
import type { DecideInput } from './decision.ts';
import { anyAway } from './handover.ts';
import type { Cause, HealthRecord } from '../record.ts';
import { tally, type Tally } from './tally.ts';

/** The shares of the way home: a tenth first, then half, then all. */
const SHARES_HOME = [90, 50, 0];

/** The pause between two steps is this part of the shortest stay away. */
const PAUSES_PER_DWELL = 4;

const LONGEST_WAIT_MS = 600_000;

/**
 * Since when the neighbour that has some of the home's tenants has been down: kept from the first majority that finds it
 * down until one finds it up, null else. A time in the future is of a clock that was set back since, and begins anew.
 */
export function lostSince(record: HealthRecord, { now, live, lost }: DecideInput): number | null {
  if (record.neighbour === null || !anyAway(record)) return null;
  const { verdict } = tally(live, record.neighbour);
  if (verdict === 'up') return null;
  const known = lost.get(record.home);
  if (known !== undefined && known <= now) return known;
  return known !== undefined || verdict === 'down' ? now : null;
}

/**
 * Why a home must be taken back at once, since its neighbour is down: null where it is not, or where the home is not up, or
 * has not caught up and may for a while yet (`neighbourLostMs`). `lostAt`: as `lostSince` answers.
 */
export function neighbourLost(
  record: HealthRecord,
  lostAt: number | null,
  { now, live, neighbourLostMs }: DecideInput,
): string | null {
  if (lostAt === null || record.neighbour === null) return null;
  const ofHome = tally(live, record.home);
  const ofNeighbour = tally(live, record.neighbour);
  if (ofHome.verdict !== 'up' || ofNeighbour.verdict !== 'down') return null;
  if (!ofHome.caughtUp && now - lostAt < neighbourLostMs) return null;
  return `${ofNeighbour.down} of ${live.size} routers: neighbour down: ${ofNeighbour.reason}`;
}

export type StepHome = { share: number; cause: Cause; reason: string };

/**
 * The next automatic step home of an open record, if it is due: the home is up and has caught up, the neighbour is up, and
 * the dwell, the operator's time, or the pause after the last step is over.
 */
export function stepHome(record: HealthRecord, input: DecideInput): StepHome | null {
  const { share } = record;
  const next = SHARES_HOME.find((one) => one < share);
  if (record.neighbour === null || next === undefined) return null;
  const ofHome = tally(input.live, record.home);
  if (ofHome.verdict !== 'up' || !ofHome.caughtUp) return null;
  if (tally(input.live, record.neighbour).verdict !== 'up') return null;
  const due = dueHome(record, ofHome, input);
  return due && { ...due, share: next, reason: `${due.reason} (${100 - next} % home)` };
}

/** Why it is due: the first step of what was sent away on purpose, of what a verdict sent away, or a later step. */
function dueHome(
  record: HealthRecord,
  ofHome: Tally,
  input: DecideInput,
): { cause: Cause; reason: string } | null {
  const { state, cause, deadline, relapses } = record;
  // A step that was undone had waited for all of this before: only its back-off is to be waited for.
  const again = record.undone > 0 && record.shareBefore < record.share;
  const recovered = `${ofHome.up} of ${input.live.size} routers: answers again`;
  if (state === 'returning') {
    if (!waited(record, again ? 0 : input.minDwellMs / PAUSES_PER_DWELL, input)) return null;
    return { cause: cause ?? 'recovered', reason: cause === 'recovered' ? recovered : 'on its way home' };
  }
  if (deadline !== null) {
    if (input.now < deadline || !waited(record, 0, input)) return null;
    return {
      cause: 'expired',
      reason: `the ${state === 'failed-over' ? 'forced failover' : 'drain'} expired`,
    };
  }
  if (state !== 'failed-over' || cause === 'operator') return null;
  if (!waited(record, again ? 0 : dwellMs(input.minDwellMs, relapses), input)) return null;
  return { cause: 'recovered', reason: recovered };
}

/** The shortest stay away: doubled by each relapse in a row, up to ten minutes. */
export function dwellMs(minDwellMs: number, relapses: number): number {
  return Math.max(minDwellMs, Math.min(minDwellMs * 2 ** relapses, LONGEST_WAIT_MS));
}

/**
 * Whether a record has stood for as long as this, and after handovers that were undone for twice as long each time. A
 * clock that was set back must not make it wait for as long as that.
 */
export function waited(
  { since, undone }: HealthRecord,
  ms: number,
  { now, handoverMs }: Pick<DecideInput, 'now' | 'handoverMs'>,
): boolean {
  const backOffMs = undone === 0 ? 0 : Math.min(handoverMs * 2 ** undone, LONGEST_WAIT_MS);
  return since === null || Math.abs(now - since) >= Math.max(ms, backOffMs);
}
