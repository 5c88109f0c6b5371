// The verdict: from the votes of the live machines to changed records. Pure; `scripts/decide.lua` decides the same.
import { withinBudget } from './budget.ts';
import { eventOf, recordIn, stepped, type DecideInput, type Step } from './decision.ts';
import type { EventEntry, HealthRecord, HeldWhy, HomeRule } from './record.ts';
import { tally, type Tally } from './tally.ts';
import { lostSince, wayHome } from './way-home.ts';

export type Decision = {
  changed: HealthRecord[];
  events: EventEntry[];
  /** What `held` and `lost` of the input are now. Homes that the input's fleet does not have keep theirs. */
  held: Map<string, HeldWhy>;
  lost: Map<string, number>;
};

type Deciding = Decision & { input: DecideInput; records: Map<string, HealthRecord> };

/**
 * Answers which records change, each with its epoch raised by one, and the events that say why.
 *
 * A cell is up, or down, when more than half of the live machines say so; else nothing is known of it. A home that is
 * down goes to its neighbour at once, unless it is held back (`heldBack`); `wayHome` says when it returns.
 * All ways home are decided before any failover, each in the order of the homes' names and seeing what was decided
 * before it: so a neighbour that takes its own tenants back can stand in at once, and no two cells ever stand in for one
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
  if (!input.warmingUp) for (const rule of rules) takeHome(rule, deciding);
  for (const rule of rules) failOver(rule, deciding);
  const { changed, events, held, lost } = deciding;
  return { changed, events, held, lost };
}

function takeHome(rule: HomeRule, deciding: Deciding): void {
  const { input, records, lost } = deciding;
  const record = recordIn(records, rule.home);
  const lostAt = lostSince(record, input);
  const step = record.state === 'failed-over' ? wayHome(record, lostAt, input) : null;
  if (lostAt === null || step !== null) lost.delete(rule.home);
  else lost.set(rule.home, lostAt);
  if (step !== null) change(record, rule, step, {}, deciding);
}

function failOver(rule: HomeRule, deciding: Deciding): void {
  const { input, records, held } = deciding;
  const record = recordIn(records, rule.home);
  const ofHome = tally(input.live, rule.home);
  const wanted = record.state === 'serving' && ofHome.verdict === 'down';
  const why = wanted ? heldBack(rule, ofHome, deciding) : null;
  if (why === null) held.delete(rule.home);
  if (!wanted) return;
  const { evidence: cause } = ofHome;
  const reason = `${ofHome.down} of ${input.live.size} routers: ${ofHome.reason}`;
  const suspect = ofHome.suspects > 0 ? { suspect: 'release' } : {};
  if (why === null) {
    const target = rule.neighbour ?? rule.home;
    change(record, rule, { state: 'failed-over', target, cause, reason, deadline: null }, suspect, deciding);
  } else if (held.get(rule.home) !== why) {
    held.set(rule.home, why);
    deciding.events.push(
      eventOf(record, record, { cause, reason, details: { held: why, ...suspect } }, input),
    );
  }
}

/** Why a home that is down by majority may not go to its neighbour; null: it may. */
function heldBack(rule: HomeRule, ofHome: Tally, { input, records }: Deciding): HeldWhy | null {
  if (input.warmingUp) return 'warming-up';
  if (!ofHome.failover) return 'suspect-release';
  if (!canStandIn(rule, records, input)) return 'no-target';
  return withinBudget(rule, records, input) ? null : 'budget';
}

/**
 * Whether the neighbour is up, and neither drained nor itself served by this home. Its own tenants may be away at
 * its own neighbour: they stay there, and that is no chain.
 */
function canStandIn(
  { home, neighbour }: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  { live }: DecideInput,
): boolean {
  if (neighbour === null || neighbour === home) return false;
  const { state, target } = recordIn(records, neighbour);
  return state !== 'drained' && target !== home && tally(live, neighbour).verdict === 'up';
}

function change(
  record: HealthRecord,
  rule: HomeRule,
  step: Step,
  details: Record<string, unknown>,
  deciding: Deciding,
): void {
  const next = stepped(record, rule.neighbour, step, deciding.input.now);
  deciding.records.set(rule.home, next);
  deciding.changed.push(next);
  const said = { cause: step.cause, reason: step.reason, details: { target: next.target, ...details } };
  deciding.events.push(eventOf(record, next, said, deciding.input));
}
