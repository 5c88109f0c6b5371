// The verdict: from the votes of the live machines to changed records. Pure; `scripts/decide.lua` decides the same.
import { beginStep, changeNeighbour, keepNeighbour } from './begin-handover.ts';
import { withinBudget } from './budget.ts';
import { atOnce, eventOf, recordIn, type Changed, type DecideInput } from './decision.ts';
import { endHandover } from './end-handover.ts';
import { standing } from './handover.ts';
import type { EventEntry, HealthRecord, HeldWhy, HomeRule } from '../record.ts';
import { canStandIn, lacksStandby } from './stand-in.ts';
import { tally, type Tally } from './tally.ts';
import { dwellMs, lostSince, neighbourLost } from './way-home.ts';

/** More relapses than this do not make a dwell longer. */
const RELAPSES_MOST = 10;

export type Decision = {
  changed: HealthRecord[];
  events: EventEntry[];
  /** What `held` and `lost` of the input are now. Homes that the input's fleet does not have keep theirs. */
  held: Map<string, HeldWhy>;
  lost: Map<string, number>;
};

type Deciding = Decision & { input: DecideInput; records: Map<string, HealthRecord> };

/**
 * Answers which records change, each with its epoch raised by one, and the events that say why; and the first record of a home
 * whose neighbour is kept (`keepNeighbour`).
 *
 * A cell is up, or down, when more than half of the live machines say so; else nothing is known of it. A home that is
 * down goes to its neighbour at once, unless it is held back (`heldBack`). Handovers end when all live machines have
 * confirmed them, or are undone; the next ones begin when they are due. All ends and ways home are decided before any
 * failover, and those before any beginning, each in the order of the homes' names and seeing what was decided before
 * it: so a neighbour that takes its own tenants back can stand in at once, and no two cells ever stand in for one
 * another while one is down.
 */
export function decide(input: DecideInput): Decision {
  const deciding: Deciding = {
    input,
    records: new Map(input.records),
    changed: [],
    events: [],
    held: new Map(input.held),
    lost: new Map(input.lost),
  };
  const rules = [...input.homes].sort((a, b) => (a.home < b.home ? -1 : 1));
  if (!input.warmingUp) for (const rule of rules) end(rule, deciding);
  for (const rule of rules) failOver(rule, deciding);
  if (!input.warmingUp) for (const rule of rules) begin(rule, deciding);
  const { changed, events, held, lost } = deciding;
  return { changed, events, held, lost };
}

/** A home whose neighbour is lost takes its tenants back; a handover ends. */
function end(rule: HomeRule, deciding: Deciding): void {
  const { input, records, lost } = deciding;
  const record = recordIn(records, rule.home, rule.neighbour);
  const lostAt = lostSince(record, input);
  const reason = neighbourLost(record, lostAt, input);
  if (lostAt === null || reason !== null) lost.delete(rule.home);
  else lost.set(rule.home, lostAt);
  if (reason !== null) {
    const home = { state: 'serving', share: 0, cause: 'neighbour-lost', deadline: null } as const;
    const next = atOnce(record, { ...home, relapses: record.relapses }, input.now);
    change(record, { record: next, said: { ...home, reason, details: { target: next.target } } }, deciding);
  } else if (record.phase === 'closing') {
    for (const one of endHandover(record, records, input)) {
      change(recordIn(records, one.record.home), one, deciding);
    }
  }
}

function failOver(rule: HomeRule, deciding: Deciding): void {
  const { input, records, held } = deciding;
  const record = recordIn(records, rule.home, rule.neighbour);
  const ofHome = tally(input.live, rule.home);
  const wanted = ofHome.verdict === 'down' && (record.share < 100 || record.phase === 'closing');
  const why = wanted ? heldBack(record, rule, ofHome, deciding) : null;
  if (why === null) held.delete(rule.home);
  if (!wanted) return;
  const { evidence: cause } = ofHome;
  const reason = `${ofHome.down} of ${input.live.size} routers: ${ofHome.reason}`;
  const suspect = ofHome.suspects > 0 ? { suspect: 'release' } : {};
  if (why === null) {
    const relapses = isRelapse(record, input) ? Math.min(record.relapses + 1, RELAPSES_MOST) : 0;
    const away = { state: 'failed-over', share: 100, cause, deadline: null, relapses } as const;
    const next = atOnce(record, away, input.now);
    const details = { target: next.target, ...suspect };
    change(record, { record: next, said: { cause, reason, details } }, deciding);
  } else if (held.get(rule.home) !== why) {
    held.set(rule.home, why);
    deciding.events.push(
      eventOf(record, record, { cause, reason, details: { held: why, ...suspect } }, input),
    );
  }
}

/** Why a home that is down by majority may not go to its neighbour; null: it may. */
function heldBack(
  record: HealthRecord,
  rule: HomeRule,
  ofHome: Tally,
  { input, records }: Deciding,
): HeldWhy | null {
  if (input.warmingUp) return 'warming-up';
  if (!ofHome.failover) return 'suspect-release';
  if (!canStandIn(record, records, input)) return 'no-target';
  if (lacksStandby(record.neighbour ?? '', record.home, input.live, input)) return 'no-standby';
  if (isOnItsWayHome(record)) return null;
  return withinBudget(rule, records, input) ? null : 'budget';
}

/** Part of it has been away all the time: that it goes back is no further failover. */
function isOnItsWayHome(record: HealthRecord): boolean {
  const { state } = standing(record);
  return state === 'returning' || state === 'failed-over';
}

/** It fails again on its way home, or soon after it: it had not recovered. */
function isRelapse(record: HealthRecord, { now, minDwellMs }: DecideInput): boolean {
  if (isOnItsWayHome(record)) return true;
  const { returned, relapses } = record;
  return returned !== null && Math.abs(now - returned) < dwellMs(minDwellMs, relapses);
}

/** What is due by itself, where nothing is under way. */
function begin(rule: HomeRule, deciding: Deciding): void {
  const { input, records, changed } = deciding;
  const record = records.get(rule.home);
  if (record === undefined) {
    const kept = keepNeighbour(rule, records, input);
    if (kept === null) return;
    records.set(rule.home, kept);
    changed.push(kept);
    return;
  }
  if (record.phase === 'closing') return;
  const one = beginStep(record, records, input) ?? changeNeighbour(record, rule, records, input);
  if (one !== null) change(record, one, deciding);
}

function change(before: HealthRecord, { record, said }: Changed, deciding: Deciding): void {
  deciding.records.set(record.home, record);
  deciding.changed.push(record);
  deciding.events.push(eventOf(before, record, said, deciding.input));
}
