// The way home of a home that is away, decided from the votes. Pure; `scripts/decide.lua` decides the same.
import type { DecideInput, Step } from './decision.ts';
import type { HealthRecord } from './record.ts';
import { tally, type Tally } from './tally.ts';

/**
 * Since when the neighbour that stands in has been down: kept from the first majority that finds it down until one
 * finds it up, null else. A time in the future is of a clock that was set back since, and begins anew.
 */
export function lostSince(record: HealthRecord, { now, live, lost }: DecideInput): number | null {
  if (record.state !== 'failed-over') return null;
  const { verdict } = tally(live, record.target);
  if (verdict === 'up') return null;
  const known = lost.get(record.home);
  if (known !== undefined && known <= now) return known;
  return known !== undefined || verdict === 'down' ? now : null;
}

/**
 * Takes a home that is up back: at once when its neighbour is down (if it has not caught up: `neighbourLostMs` after
 * the neighbour was lost), and else once it has caught up and was away for `minDwellMs`. One that an operator sent away
 * stays until its deadline instead. `lostAt`: as `lostSince` answers.
 */
export function wayHome(record: HealthRecord, lostAt: number | null, input: DecideInput): Step | null {
  const { now, live } = input;
  const ofHome = tally(live, record.home);
  if (ofHome.verdict !== 'up') return null;
  const ofTarget = tally(live, record.target);
  if (ofTarget.verdict === 'down') {
    const waitedMs = now - (lostAt ?? now);
    if (!ofHome.caughtUp && waitedMs < input.neighbourLostMs) return null;
    const reason = `${ofTarget.down} of ${live.size} routers: neighbour down: ${ofTarget.reason}`;
    return { state: 'serving', target: record.home, cause: 'neighbour-lost', reason, deadline: null };
  }
  return ofHome.caughtUp ? timeIsUp(record, ofHome, input) : null;
}

function timeIsUp(record: HealthRecord, ofHome: Tally, input: DecideInput): Step | null {
  const { now, live, minDwellMs } = input;
  const home = { state: 'serving', target: record.home, deadline: null } as const;
  if (record.cause === 'operator') {
    if (record.deadline !== null && now < record.deadline) return null;
    return { ...home, cause: 'expired', reason: 'the forced failover expired' };
  }
  // A clock that was set back by more than the dwell must not keep the tenants away for as long as it was set back.
  if (record.since !== null && Math.abs(now - record.since) < minDwellMs) return null;
  return { ...home, cause: 'recovered', reason: `${ofHome.up} of ${live.size} routers: answers again` };
}
