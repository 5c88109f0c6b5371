// The verdict: from the votes of the live machines to changed records. Pure; `scripts/beat.lua` decides the same.
import { initialRecord, type Cause, type HealthEvent, type HealthRecord, type HomeRule } from './record.ts';
import { sortedRouters, tally, voteOf, type LiveVotes } from './tally.ts';

/** An event names the votes of this many machines at most. */
const EVENT_VOTES_MAX = 20;

export type DecideInput = {
  /** Epoch milliseconds of the store's clock. */
  now: number;
  /** Machine → its opinion per cell, of the machines that still beat. */
  live: LiveVotes;
  homes: readonly HomeRule[];
  records: ReadonlyMap<string, HealthRecord>;
  minDwellMs: number;
};

export type Decision = { changed: HealthRecord[]; events: Omit<HealthEvent, 'id'>[] };

type Step = { state: 'serving' | 'failed-over'; target: string; cause: Cause; reason: string };

/**
 * Answers which records change, each with its epoch raised by one, and the events that say why.
 * A cell is up, or down, when more than half of the live machines say so; else nothing is known of it. A home that is
 * down goes to its neighbour at once, if that one is up and itself served at home: failover never chains. It returns
 * once it is up and was away for `minDwellMs`, or at once when the neighbour is down.
 * Homes are decided in the order of their names, each seeing what was decided before it, so that two cells that are
 * each other's neighbour never stand in for one another.
 */
export function decide(input: DecideInput): Decision {
  const records = new Map(input.records);
  const decision: Decision = { changed: [], events: [] };
  for (const rule of [...input.homes].sort(byHome)) {
    const record = records.get(rule.home) ?? initialRecord(rule.home, rule.neighbour);
    const step = nextStep(record, rule, records, input);
    if (step === null) continue;
    const next = applied(record, rule, step, input.now);
    records.set(rule.home, next);
    decision.changed.push(next);
    decision.events.push(eventOf(record, next, step, input));
  }
  return decision;
}

function byHome(a: HomeRule, b: HomeRule): number {
  return a.home < b.home ? -1 : 1;
}

function nextStep(
  record: HealthRecord,
  rule: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): Step | null {
  if (record.state === 'serving') return failover(rule, records, input);
  if (record.state === 'failed-over') return wayHome(record, input);
  return null;
}

function failover(
  rule: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  { live }: DecideInput,
): Step | null {
  const { home, neighbour } = rule;
  if (neighbour === null || neighbour === home) return null;
  const ofHome = tally(live, home);
  if (ofHome.verdict !== 'down' || tally(live, neighbour).verdict !== 'up') return null;
  const standIn = records.get(neighbour)?.state ?? 'serving';
  if (standIn !== 'serving') return null;
  const reason = `${ofHome.down} of ${live.size} routers: ${ofHome.reason}`;
  return { state: 'failed-over', target: neighbour, cause: ofHome.evidence, reason };
}

function wayHome(record: HealthRecord, { now, live, minDwellMs }: DecideInput): Step | null {
  const { home } = record;
  const ofHome = tally(live, home);
  if (ofHome.verdict !== 'up') return null;
  const ofTarget = tally(live, record.target);
  if (ofTarget.verdict === 'down') {
    const reason = `${ofTarget.down} of ${live.size} routers: neighbour down: ${ofTarget.reason}`;
    return { state: 'serving', target: home, cause: 'neighbour-lost', reason };
  }
  if (record.since !== null && now - record.since < minDwellMs) return null;
  const reason = `${ofHome.up} of ${live.size} routers: answers again`;
  return { state: 'serving', target: home, cause: 'recovered', reason };
}

function applied(record: HealthRecord, rule: HomeRule, step: Step, now: number): HealthRecord {
  return {
    ...record,
    neighbour: rule.neighbour,
    state: step.state,
    target: step.target,
    epoch: record.epoch + 1,
    share: step.state === 'failed-over' ? 100 : 0,
    shareBefore: step.state === 'failed-over' ? 0 : 100,
    since: now,
    cause: step.cause,
  };
}

function eventOf(
  from: HealthRecord,
  to: HealthRecord,
  step: Step,
  { now, live }: DecideInput,
): Omit<HealthEvent, 'id'> {
  const votes: [string, string][] = [];
  for (const router of sortedRouters(live).slice(0, EVENT_VOTES_MAX)) {
    votes.push([router, voteOf(live, router, from.home)?.opinion ?? 'unknown']);
  }
  return {
    at: now,
    cell: from.home,
    from: from.state,
    to: to.state,
    epoch: to.epoch,
    cause: step.cause,
    actor: 'quorum',
    reason: step.reason,
    details: { target: to.target, votes: Object.fromEntries(votes) },
  };
}
