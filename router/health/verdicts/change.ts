// A planned change as an operator asks for it: the record in closing, or why not. Pure; `scripts/change.lua` decides the same.
import { isGaining } from './begin-handover.ts';
import { eventOf, handoverDetails, isQuiet, recordIn, type DecideInput, type Said } from './decision.ts';
import { sizeOf } from './end-handover.ts';
import { causeWithPin, closing, leansOn, type Aim } from './handover.ts';
import { movesTooMuch } from './moved.ts';
import type { Changing, EventEntry, HealthRecord } from '../record.ts';
import { servedBy } from './served-by.ts';
import { lacksStandby } from './stand-in.ts';
import type { Change, ChangeRefusal, SafetyRule, Wish } from '../store.ts';
import { tally } from './tally.ts';

/** Run-time pins of one home: more of them belong into the fleet file. */
export const PINS_MOST = 1_000;

export type Situation = Pick<DecideInput, 'now' | 'live' | 'records' | 'handsOver' | 'warmingUp'>;

/** `event` null: it is so already, and nothing changed. */
export type ChangeOutcome = { record: HealthRecord; event: EventEntry | null } | ChangeRefusal;

type Refused = ChangeRefusal['refused'];
type Asked<K extends Wish['kind']> = {
  change: Change;
  wish: Extract<Wish, { kind: K }>;
  record: HealthRecord;
  situation: Situation;
};

/** What is to happen, once nothing speaks against it. */
type Plan = {
  aim: Aim;
  changing: Changing | null;
  details: Record<string, unknown>;
  /** The safety rules that it breaks, and what it is refused with for each. */
  broken: Partial<Record<SafetyRule, Refused>>;
  /** No tenant changes cell: the record is open at once. */
  open: boolean;
  /** It is so already, and nobody need know. */
  idle: boolean;
};

/** Answers the record in closing and its event, or why not. The budget does not bind an operator. */
export function beginChange(change: Change, situation: Situation): ChangeOutcome {
  const { home, wish } = change;
  const { records, handsOver, warmingUp } = situation;
  if (!isKnown(home, situation)) return refuse('not-found');
  if (wish.kind === 'cut-over' && !isKnown(wish.to, situation)) return refuse('not-found');
  if (!handsOver) return refuse('old-routers');
  // Nothing that begins now could end before the machines are all heard.
  if (warmingUp) return refuse('warming-up');
  const record = recordIn(records, home, change.neighbour);
  const gainer = wish.kind === 'cut-over' ? records.get(wish.to) : undefined;
  const underWay = [record, gainer].some((one) => one?.phase === 'closing') || isGaining(home, records);
  if (underWay) return refuse('handover-under-way');
  const plan = planOf(change, wish, record, situation);
  if ('refused' in plan) return plan;
  const [rule, refused] =
    (Object.entries(plan.broken) as [SafetyRule, Refused][]).find(
      ([rule]) => !change.override.includes(rule),
    ) ?? [];
  if (rule !== undefined && refused !== undefined) return { refused, rule } as ChangeRefusal;
  return carryOut(plan, change, record, situation);
}

function planOf(
  change: Change,
  wish: Wish,
  record: HealthRecord,
  situation: Situation,
): Plan | ChangeRefusal {
  if (wish.kind === 'share') return planShare({ change, wish, record, situation });
  if (wish.kind === 'pin') return planPin({ change, wish, record, situation });
  return planCutOver({ change, wish, record, situation });
}

function planShare({ change, wish: { percent }, record, situation }: Asked<'share'>): Plan | ChangeRefusal {
  const { home, neighbour, share, state } = record;
  // What is away by a verdict comes home wholly, or an operator keeps all of it away: its share is the way home's own.
  const byVerdict = state === 'failed-over' || state === 'returning';
  if (byVerdict && percent !== 0 && percent !== 100) return refuse('already-away');
  if (percent > 0 && (neighbour === null || neighbour === home)) return refuse('no-neighbour');
  if (percent > share && leansOn(recordIn(situation.records, neighbour ?? ''), home)) {
    return refuse('target-away');
  }
  const aim = {
    state: percent === 100 ? 'drained' : 'serving',
    share: percent,
    deadline: percent === 0 ? null : situation.now + change.expiresInMs,
  } as const;
  const open = percent === share;
  const broken = open ? {} : brokenRules(percent > share ? neighbour : home, record, change, situation);
  return { aim, changing: null, details: {}, broken, open, idle: open && percent === 0 };
}

function planPin({ change, wish, record, situation }: Asked<'pin'>): Plan | ChangeRefusal {
  const { tenant, cell } = wish;
  const { home, neighbour, share } = record;
  if (cell !== null && cell !== home && cell !== neighbour) return refuse('third-cell');
  if (cell !== null && share === 100) return refuse('already-away');
  const known = Object.hasOwn(record.pins, tenant);
  if (cell !== null && !known && Object.keys(record.pins).length >= PINS_MOST) return refuse('too-many-pins');
  const { [tenant]: _, ...others } = record.pins;
  const pins =
    cell === null ? others : { ...others, [tenant]: { cell, until: situation.now + change.expiresInMs } };
  const after = servedBy({ ...record, pins }, tenant);
  const open = after === servedBy(record, tenant);
  if (!open && after !== home && leansOn(recordIn(situation.records, after ?? ''), home)) {
    return refuse('target-away');
  }
  return {
    aim: { pins, cause: causeWithPin(record, change.cause) },
    changing: { tenants: [tenant], buckets: [] },
    details: { pin: { tenant, cell } },
    broken: open ? {} : brokenRules(after, record, change, situation),
    open,
    idle: cell === null && !known,
  };
}

function planCutOver({ wish, record, situation }: Asked<'cut-over'>): Plan | ChangeRefusal {
  const { to, buckets, tenants, generation } = wish;
  const gainer = recordIn(situation.records, to);
  const quiet = isQuiet(record) && isQuiet(gainer) && Object.keys(record.pins).length === 0;
  if (to === record.home || !quiet) return refuse('not-at-home');
  const changing: Changing = { tenants, buckets };
  if (movesTooMuch(record, changing, to)) return refuse('too-many-moves');
  const moved = [
    ...record.moved,
    ...buckets.map((range) => ({ buckets: range, to, generation })),
    ...tenants.map((tenant) => ({ tenant, to })),
  ];
  const isUp = tally(situation.live, to).verdict === 'up';
  return {
    aim: { moved },
    changing,
    details: { cutOver: { to, ...sizeOf(changing) } },
    broken: isUp ? {} : { 'target-up': 'target-down' },
    open: false,
    idle: false,
  };
}

/** What speaks against giving tenants to the cell: the home, or its neighbour. */
function brokenRules(
  cell: string | null,
  { home }: HealthRecord,
  change: Change,
  { live, records }: Situation,
): Plan['broken'] {
  const gaining = cell ?? home;
  const ofCell = tally(live, gaining);
  const broken: Plan['broken'] = {};
  if (ofCell.verdict !== 'up') broken['target-up'] = 'target-down';
  else if (gaining === home && !ofCell.caughtUp) broken['caught-up'] = 'not-caught-up';
  if (gaining !== home && recordIn(records, gaining).state === 'drained') {
    broken['target-not-drained'] = 'target-drained';
  }
  if (lacksStandby(gaining, home, live, change)) broken['standby-synced'] = 'no-standby';
  return broken;
}

function carryOut(plan: Plan, change: Change, record: HealthRecord, situation: Situation): ChangeOutcome {
  const { cause, actor, reason, owner, wish, handoverMs } = change;
  const { now } = situation;
  if (plan.idle) return { record, event: null };
  const overruled = Object.keys(plan.broken);
  const changed = (next: HealthRecord): ChangeOutcome => {
    const phase = handoverDetails(next, next.phase);
    const { deadline } = next;
    const said: Said = {
      actor,
      cause,
      reason,
      details: { ...phase, owner, deadline, overruled, ...plan.details },
    };
    return { record: next, event: eventOf(record, next, said, situation) };
  };
  if (plan.open) {
    return changed({ ...record, cause, ...plan.aim, epoch: record.epoch + 1, since: now });
  }
  const to = wish.kind === 'cut-over' ? wish.to : null;
  const terms = { until: now + handoverMs, actor, reason, to };
  return changed(closing(record, { cause, ...plan.aim }, plan.changing, terms, now));
}

/** Whether any live machine, or a record, knows of the home. */
export function isKnown(home: string, { records, live }: Pick<Situation, 'records' | 'live'>): boolean {
  return records.has(home) || [...live.values()].some((votes) => Object.hasOwn(votes, home));
}

function refuse(refused: Extract<ChangeRefusal, { rule: null }>['refused']): ChangeRefusal {
  return { refused, rule: null };
}
