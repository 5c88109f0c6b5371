// What an operator's wish must come to: why it is refused, or the record that it makes. Written a second time, from the rules.
import type { HealthRecord } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import type { Change, FailOver, Wish } from '../../router/health/store.ts';
import { expectSame } from './same.ts';
import { TENANTS } from './verdict-operators.ts';
import { asItWas, isQuiet, leansOn, serverOf, takes } from './verdict-records.ts';
import type { Situation } from './verdict-situation.ts';
import { closingOf } from './verdict-transitions.ts';

type WishOf<K extends Wish['kind']> = Extract<Wish, { kind: K }>;
type Refusal = string | null;

const AWAY = ['failed-over', 'returning'];

/** All of its tenants are at the neighbour, and stay there. */
function isWhollyAway({ phase, share }: HealthRecord): boolean {
  return phase === 'open' && share === 100;
}

/** Why a forced failover is refused; null: it is not. `record`: its home's. */
export function failOverRefusal(wish: FailOver, record: HealthRecord, situation: Situation): Refusal {
  const { home } = wish;
  const { neighbour } = record;
  if (!isKnown(home, situation)) return 'not-found';
  if (isWhollyAway(record)) return null;
  if (neighbour === null || neighbour === home) return 'no-neighbour';
  if (leansOn(situation.recordOf(neighbour), home)) return 'target-away';
  return unsafe(neighbour, record, wish, situation);
}

/** Why a change is refused; null: it is not. `record`: its home's. */
export function changeRefusal(change: Change, record: HealthRecord, situation: Situation): Refusal {
  const { home, wish } = change;
  if (!isKnown(home, situation)) return 'not-found';
  if (wish.kind === 'cut-over' && !isKnown(wish.to, situation)) return 'not-found';
  if (!situation.warm) return 'warming-up';
  const closing = [home, wish.kind === 'cut-over' ? wish.to : home].some(
    (one) => situation.recordOf(one).phase === 'closing',
  );
  if (closing || situation.isGaining(home)) return 'handover-under-way';
  if (wish.kind === 'share') return shareRefusal(change, wish, record, situation);
  if (wish.kind === 'pin') return pinRefusal(change, wish, record, situation);
  return cutOverRefusal(change, wish, record, situation);
}

function shareRefusal(
  change: Change,
  { percent }: WishOf<'share'>,
  record: HealthRecord,
  situation: Situation,
): Refusal {
  const { home, neighbour, share, state } = record;
  if (AWAY.includes(state) && ![0, 100].includes(percent)) return 'already-away';
  if (percent > 0 && (neighbour === null || neighbour === home)) return 'no-neighbour';
  if (percent === share) return null;
  if (percent < share || neighbour === null) return unsafe(home, record, change, situation);
  if (leansOn(situation.recordOf(neighbour), home)) return 'target-away';
  return unsafe(neighbour, record, change, situation);
}

function pinRefusal(
  change: Change,
  { tenant, cell }: WishOf<'pin'>,
  record: HealthRecord,
  situation: Situation,
): Refusal {
  const { home, neighbour, share } = record;
  if (![null, home, neighbour].includes(cell)) return 'third-cell';
  if (cell !== null && share === 100) return 'already-away';
  const from = servedBy(record, tenant);
  const to = pinnedTo(record, tenant, cell);
  if (to === from) return null;
  if (to !== home && leansOn(situation.recordOf(to), home)) return 'target-away';
  return unsafe(to, record, change, situation);
}

/** The cell that serves the tenant with this pin, or without one. */
function pinnedTo(record: HealthRecord, tenant: string, cell: string | null): string {
  const { [tenant]: _, ...others } = record.pins;
  const pins = cell === null ? others : { ...others, [tenant]: { cell, until: 0 } };
  return servedBy({ ...record, pins }, tenant) ?? record.home;
}

function cutOverRefusal(
  { override }: Change,
  { to, buckets, tenants }: WishOf<'cut-over'>,
  record: HealthRecord,
  situation: Situation,
): Refusal {
  const areQuiet = isQuiet(record) && isQuiet(situation.recordOf(to));
  if (to === record.home || !areQuiet || Object.keys(record.pins).length > 0) return 'not-at-home';
  // None of the histories moves as much by and by.
  if (buckets.length > 1_000 || tenants.length > 500) return 'too-many-moves';
  return situation.is('up', to) || override.includes('target-up') ? null : 'target-down';
}

/** The safety rules that speak against giving tenants of the record's home to `cell`. */
function unsafe(
  cell: string,
  { home }: HealthRecord,
  { override, requiresStandby }: Pick<Change, 'override' | 'requiresStandby'>,
  situation: Situation,
): Refusal {
  const isUp = situation.is('up', cell);
  if (!isUp && !override.includes('target-up')) return 'target-down';
  if (cell === home) {
    return !isUp || situation.hasCaughtUp(home) || override.includes('caught-up') ? null : 'not-caught-up';
  }
  const isDrained = situation.recordOf(cell).state === 'drained';
  if (isDrained && !override.includes('target-not-drained')) return 'target-drained';
  const isLacking = requiresStandby && !situation.hasStandby(cell, home);
  return isLacking && !override.includes('standby-synced') ? 'no-standby' : null;
}

function isKnown(home: string, situation: Situation): boolean {
  return situation.records.has(home) || situation.votesOn(home).some((vote) => vote !== undefined);
}

/** What a forced failover makes of a record. Answers what it is counted as. */
export function expectForced(
  wish: FailOver,
  before: HealthRecord,
  after: HealthRecord,
  now: number,
): string[] {
  const ends = {
    cause: 'operator',
    deadline: now + wish.expiresInMs,
    epoch: before.epoch + 1,
    since: now,
  } as const;
  if (isWhollyAway(before)) {
    expectSame(after, { ...before, ...ends });
    return [`forced, ${before.cause === 'operator' ? 'longer' : 'by hand now'}`];
  }
  const was = asItWas(before);
  const away = { state: 'failed-over', share: 100, shareBefore: was.share } as const;
  const rest = { target: was.neighbour, operation: null, relapses: 0, undone: 0 };
  expectSame(after, { ...was, ...away, ...rest, ...ends });
  return ['forced', `forced in ${before.phase}`];
}

/** What a granted wish makes of a record. Answers what it is counted as. */
export function expectGranted(
  change: Change,
  before: HealthRecord,
  after: HealthRecord,
  now: number,
): string[] {
  const { wish, cause, actor, reason, handoverMs } = change;
  const aim = { cause, ...aimOf(change, before, now, after) };
  if (wish.kind === 'share' && wish.percent === before.share) {
    const same = wish.percent === 0 ? {} : { ...aim, epoch: before.epoch + 1, since: now };
    expectSame(after, { ...before, ...same });
    return [AWAY.includes(before.state) ? 'kept away' : 'same share'];
  }
  if (wish.kind === 'pin' && wish.cell === null && !Object.hasOwn(before.pins, wish.tenant)) {
    expectSame(after, before);
    return ['no pin'];
  }
  if (wish.kind === 'pin' && pinnedTo(before, wish.tenant, wish.cell) === servedBy(before, wish.tenant)) {
    expectSame(after, { ...before, ...aim, epoch: before.epoch + 1, since: now });
    return ['same pin'];
  }
  const to = wish.kind === 'cut-over' ? wish.to : null;
  const next = closingOf(before, aim, { until: now + handoverMs, actor, reason, to });
  const changing = changingOf(wish);
  expectSame(after, { ...next, changing, epoch: before.epoch + 1, since: now });
  return [nameOf(wish, before)];
}

function nameOf(wish: Wish, { state }: HealthRecord): string {
  if (wish.kind === 'pin') return wish.cell === null ? 'unpin' : 'pin';
  if (wish.kind === 'cut-over') return 'cut-over';
  if (wish.percent === 0) return AWAY.includes(state) ? 'restore' : 'drain ended';
  if (AWAY.includes(state)) return 'drain, back';
  return wish.percent === 100 ? 'drain, all' : 'drain, some';
}

function changingOf(wish: Wish): HealthRecord['changing'] {
  if (wish.kind === 'share') return null;
  if (wish.kind === 'pin') return { tenants: [wish.tenant], buckets: [] };
  return { tenants: wish.tenants, buckets: wish.buckets };
}

/** What of a record the wish changes. `after`: what is moved is looked at tenant by tenant, not as it is written. */
function aimOf(
  { wish, expiresInMs }: Change,
  { pins, state, cause, moved }: HealthRecord,
  now: number,
  after: HealthRecord,
): Partial<HealthRecord> {
  if (wish.kind === 'share') {
    const { percent: share } = wish;
    const state = share === 100 ? 'drained' : 'serving';
    return { share, state, deadline: share === 0 ? null : now + expiresInMs };
  }
  if (wish.kind === 'cut-over') {
    for (const tenant of TENANTS) {
      const opened: HealthRecord = { ...after, phase: 'open', changing: null };
      if (takes(after, tenant)) expectSame(serverOf(opened, tenant), `home ${wish.to}`);
    }
    expectSame(after.moved.slice(0, moved.length), moved);
    return { moved: after.moved };
  }
  const { [wish.tenant]: _, ...others } = pins;
  // On its way home a record goes on to say why the others are away.
  const why = state === 'serving' ? {} : { cause };
  if (wish.cell === null) return { ...why, pins: others };
  return { ...why, pins: { ...others, [wish.tenant]: { cell: wish.cell, until: now + expiresInMs } } };
}
