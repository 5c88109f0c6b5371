// What operators ask for: what it begins, and what it is refused for.
import { expect, test } from 'vitest';
import { beginChange, PINS_MOST } from '../../../../../router/health/verdicts/change.ts';
import { MOVES_MOST } from '../../../../../router/health/verdicts/moved.ts';
import { closing } from '../../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord, type Vote } from '../../../../../router/health/record.ts';
import type { Change, Wish } from '../../../../../router/health/store.ts';
import { awayRecord, DOWN, syncedOf, UP } from '../../../../support/machine.ts';
import { liveOf, NOW } from '../../../../support/verdict.ts';

const CHANGE: Omit<Change, 'wish'> = {
  home: 'cell-a',
  neighbour: 'cell-b',
  cause: 'operator',
  actor: 'ada',
  reason: 'disk swap',
  owner: 'team-core',
  expiresInMs: 60_000,
  handoverMs: 2_000,
  requiresStandby: false,
  override: [],
};
const ALL_UP: Record<string, Vote> = { 'cell-a': UP, 'cell-b': UP, 'cell-c': UP };
const HOME = initialRecord('cell-a', 'cell-b');
const UNTIL = NOW + 60_000;

const share = (percent: number): Wish => ({ kind: 'share', percent });
const pin = (cell: string | null): Wish => ({ kind: 'pin', tenant: 'acme', cell });
const cutOver = (to: string): Wish => ({
  kind: 'cut-over',
  to,
  buckets: [[0, 99]],
  tenants: ['bolt'],
  generation: 2,
});

function asked(
  wish: Wish,
  more: Partial<Change> = {},
  {
    votes = ALL_UP,
    records = [],
    handsOver = true,
    warmingUp = false,
  }: {
    votes?: Record<string, Vote>;
    records?: HealthRecord[];
    handsOver?: boolean;
    warmingUp?: boolean;
  } = {},
) {
  const situation = { now: NOW, live: liveOf([votes]), handsOver, warmingUp };
  return beginChange(
    { ...CHANGE, wish, ...more },
    { ...situation, records: new Map(records.map((one) => [one.home, one])) },
  );
}

const part = (percent: number): HealthRecord => ({
  ...awayRecord('cell-a', 'cell-b', 3),
  state: 'serving',
  cause: 'operator',
  share: percent,
  operation: 2,
  deadline: NOW + 9,
});

test('a drain closes the share, with its end, and tells who wants it', () => {
  expect(asked(share(30))).toMatchObject({
    record: { phase: 'closing', state: 'serving', share: 30, epoch: 2, deadline: UNTIL, cause: 'operator' },
    event: {
      actor: 'ada',
      reason: 'disk swap',
      details: { phase: 'closing', share: 30, owner: 'team-core', deadline: UNTIL, overruled: [] },
    },
  });
});

test('all of a cell away is a drained one', () => {
  expect(asked(share(100))).toMatchObject({ record: { state: 'drained', share: 100 } });
});

test('the same share again is a later end, at once', () => {
  expect(asked(share(30), {}, { records: [part(30)] })).toMatchObject({
    record: { phase: 'open', share: 30, epoch: 4, deadline: UNTIL, operation: 2 },
    event: { details: { phase: 'open' } },
  });
});

test('nobody away is nothing to restore', () => {
  expect(asked(share(0))).toEqual({ record: HOME, event: null });
});

test('a restore brings home whatever is away, a failover too', () => {
  const records = [awayRecord('cell-a', 'cell-b', 3)];
  expect(asked(share(0), {}, { records })).toMatchObject({
    record: { phase: 'closing', state: 'serving', share: 0, shareBefore: 100, deadline: null },
  });
});

test('what is away by verdict is not drained beside it', () => {
  const returning: HealthRecord = { ...part(50), state: 'returning', cause: 'recovered' };
  for (const record of [awayRecord('cell-a', 'cell-b', 3), returning]) {
    expect(asked(share(60), {}, { records: [record] })).toEqual({ refused: 'already-away', rule: null });
  }
});

test('all of a failed-over home is kept away on purpose, at once: nobody moves', () => {
  const votes = { ...ALL_UP, 'cell-a': DOWN, 'cell-b': DOWN };
  expect(asked(share(100), {}, { votes, records: [awayRecord('cell-a', 'cell-b', 3)] })).toMatchObject({
    record: { state: 'drained', phase: 'open', share: 100, epoch: 4, deadline: UNTIL, cause: 'operator' },
    event: { from: 'failed-over', to: 'drained', details: { phase: 'open' } },
  });
});

test('a home on its way home is sent away again by a handover, if its neighbour bears it', () => {
  const returning: HealthRecord = { ...part(50), state: 'returning', cause: 'recovered', deadline: null };
  expect(asked(share(100), {}, { records: [returning] })).toMatchObject({
    record: {
      state: 'drained',
      phase: 'closing',
      share: 100,
      shareBefore: 50,
      operation: 2,
      deadline: UNTIL,
    },
  });
  const votes = { ...ALL_UP, 'cell-b': DOWN };
  expect(asked(share(100), {}, { votes, records: [returning] })).toEqual({
    refused: 'target-down',
    rule: 'target-up',
  });
});

test.each<[string, Wish, Record<string, Vote>, HealthRecord[], object]>([
  [
    'a drain to a cell that is down',
    share(10),
    { ...ALL_UP, 'cell-b': DOWN },
    [],
    { refused: 'target-down', rule: 'target-up' },
  ],
  [
    'a restore of a home that is down',
    share(0),
    { ...ALL_UP, 'cell-a': DOWN },
    [part(10)],
    { refused: 'target-down', rule: 'target-up' },
  ],
  [
    'a restore of a home that lags',
    share(0),
    { ...ALL_UP, 'cell-a': { opinion: 'up', caughtUp: false } },
    [part(10)],
    { refused: 'not-caught-up', rule: 'caught-up' },
  ],
  [
    'a drain to a drained cell',
    share(10),
    ALL_UP,
    [{ ...awayRecord('cell-b', 'cell-c', 2), state: 'drained' }],
    { refused: 'target-drained', rule: 'target-not-drained' },
  ],
])('%s breaks a safety rule, which an operator overrules by name', (_, wish, votes, records, refusal) => {
  expect(asked(wish, {}, { votes, records })).toEqual(refusal);
  const rule = (refusal as { rule: string }).rule;
  expect(asked(wish, { override: [rule] }, { votes, records })).toMatchObject({
    record: { phase: 'closing' },
    event: { details: { overruled: [rule] } },
  });
});

test.each<[string, Wish]>([
  ['a drain', share(10)],
  ['an evacuation', share(100)],
  ['a pin to the neighbour', pin('cell-b')],
])('%s needs a synced standby where one is required, unless that is overruled', (_, wish) => {
  const required = { requiresStandby: true };
  expect(asked(wish, required)).toEqual({ refused: 'no-standby', rule: 'standby-synced' });
  const overruled = { ...required, override: ['standby-synced'] };
  expect(asked(wish, overruled)).toMatchObject({
    record: { phase: 'closing' },
    event: { details: { overruled: ['standby-synced'] } },
  });
  const votes = { ...ALL_UP, 'cell-b': syncedOf('cell-a') };
  expect(asked(wish, required, { votes })).toMatchObject({ record: { phase: 'closing' } });
});

test.each<[string, Wish, HealthRecord[]]>([
  ['the way home', share(0), [part(10)]],
  ['a cut-over to another home', cutOver('cell-c'), []],
])('%s needs no standby', (_, wish, records) => {
  expect(asked(wish, { requiresStandby: true }, { records })).toMatchObject({ record: { phase: 'closing' } });
});

test('two cells are never made to stand in for one another', () => {
  const records = [{ ...part(10), home: 'cell-b', neighbour: 'cell-a', target: 'cell-a' }];
  for (const wish of [share(10), pin('cell-b')]) {
    expect(asked(wish, {}, { records })).toEqual({ refused: 'target-away', rule: null });
  }
});

test('one handover of a home at a time, and none while it gains buckets', () => {
  const closingNow = closing(
    HOME,
    { share: 10 },
    null,
    { until: UNTIL, actor: 'a', reason: '', to: null },
    NOW,
  );
  expect(asked(share(20), {}, { records: [closingNow] })).toEqual({
    refused: 'handover-under-way',
    rule: null,
  });
  const gaining = closing(
    initialRecord('cell-c', 'cell-a'),
    {},
    { tenants: [], buckets: [[0, 1]] },
    { until: UNTIL, actor: 'a', reason: '', to: 'cell-a' },
    NOW,
  );
  expect(asked(share(20), {}, { records: [gaining] })).toEqual({ refused: 'handover-under-way', rule: null });
});

test('nothing begins while a live machine does not speak of handovers', () => {
  expect(asked(share(20), {}, { handsOver: false })).toEqual({ refused: 'old-routers', rule: null });
});

test('nothing begins while the machines are not all heard: it could not end', () => {
  expect(asked(share(20), {}, { warmingUp: true })).toEqual({ refused: 'warming-up', rule: null });
});

test('a home that nobody heard of is not found, nor is a new one', () => {
  expect(asked(share(20), { home: 'cell-x' })).toEqual({ refused: 'not-found', rule: null });
  expect(asked(cutOver('cell-x'))).toEqual({ refused: 'not-found', rule: null });
});

test('a home without a neighbour can not be drained', () => {
  expect(asked(share(20), { neighbour: null })).toEqual({ refused: 'no-neighbour', rule: null });
});

test('a pin closes one tenant, with its end', () => {
  expect(asked(pin('cell-b'))).toMatchObject({
    record: {
      phase: 'closing',
      pins: { acme: { cell: 'cell-b', until: UNTIL } },
      changing: { tenants: ['acme'], buckets: [] },
      share: 0,
    },
    event: { details: { pin: { tenant: 'acme', cell: 'cell-b' } } },
  });
});

test('a pin to where the tenant is already is open at once', () => {
  expect(asked(pin('cell-a'))).toMatchObject({
    record: { phase: 'open', pins: { acme: { cell: 'cell-a' } } },
  });
});

test('an unpinned tenant goes where the others are', () => {
  const records = [{ ...HOME, pins: { acme: { cell: 'cell-b', until: UNTIL } } }];
  expect(asked(pin(null), {}, { records })).toMatchObject({ record: { phase: 'closing', pins: {} } });
});

test('no pin to take away changes nothing, and is no event', () => {
  expect(asked(pin(null), {}, { records: [HOME] })).toEqual({ record: HOME, event: null });
});

test('a pin can be taken away while all are away', () => {
  const away = awayRecord('cell-a', 'cell-b', 3);
  const records = [{ ...away, pins: { acme: { cell: 'cell-a', until: UNTIL } } }];
  expect(asked(pin(null), {}, { records })).toMatchObject({
    record: { phase: 'open', share: 100, pins: {} },
  });
});

test('a pin goes to the home or to its neighbour, and not while all are away', () => {
  expect(asked(pin('cell-c'))).toEqual({ refused: 'third-cell', rule: null });
  const records = [awayRecord('cell-a', 'cell-b', 3)];
  expect(asked(pin('cell-b'), {}, { records })).toEqual({ refused: 'already-away', rule: null });
});

test('a home has a bounded number of pins; a known one can still change', () => {
  const names = Array.from({ length: PINS_MOST - 1 }, (_, i) => `tenant-${i}`);
  const many = Object.fromEntries([...names, 'acme'].map((name) => [name, { cell: 'cell-a', until: UNTIL }]));
  const records = [{ ...HOME, pins: many }];
  expect(asked(pin('cell-b'), {}, { records })).toHaveProperty('record');
  const { [names[0] ?? '']: one, acme: _, ...others } = many;
  const full = {
    ...others,
    [names[0] ?? '']: one ?? { cell: 'cell-a', until: UNTIL },
    last: { cell: 'cell-a', until: UNTIL },
  };
  expect(asked(pin('cell-b'), {}, { records: [{ ...HOME, pins: full }] })).toEqual({
    refused: 'too-many-pins',
    rule: null,
  });
});

test('a cut-over closes its buckets and tenants, and says where they go', () => {
  expect(asked(cutOver('cell-c'), { cause: 'move' })).toMatchObject({
    record: {
      phase: 'closing',
      moved: [
        { buckets: [0, 99], to: 'cell-c', generation: 2 },
        { tenant: 'bolt', to: 'cell-c' },
      ],
      changing: { tenants: ['bolt'], buckets: [[0, 99]] },
      handover: { to: 'cell-c' },
    },
    event: { details: { cutOver: { to: 'cell-c', buckets: 100, tenants: 1 } } },
  });
});

test('a cut-over needs both homes serving, with nobody away', () => {
  const refusal = { refused: 'not-at-home', rule: null };
  for (const record of [part(10), { ...HOME, pins: { acme: { cell: 'cell-a', until: UNTIL } } }]) {
    expect(asked(cutOver('cell-c'), {}, { records: [record] })).toEqual(refusal);
  }
  expect(asked(cutOver('cell-c'), {}, { records: [awayRecord('cell-c', 'cell-a', 2)] })).toEqual(refusal);
  expect(asked(cutOver('cell-a'))).toEqual(refusal);
});

const ranges = (count: number): [number, number][] => Array.from({ length: count }, (_, i) => [2 * i, 2 * i]);
const names = (count: number) => Array.from({ length: count }, (_, i) => `tenant-${i}`);
const cutting = (buckets: [number, number][], tenants: string[]): Wish => {
  return { kind: 'cut-over', to: 'cell-c', buckets, tenants, generation: 3 };
};

test('a bounded number of ranges and of tenants is moved from one home', () => {
  const most = cutting(ranges(MOVES_MOST.ranges), names(MOVES_MOST.tenants));
  expect(asked(most)).toHaveProperty('record');
  const refusal = { refused: 'too-many-moves', rule: null };
  expect(asked(cutting(ranges(MOVES_MOST.ranges + 1), []))).toEqual(refusal);
  expect(asked(cutting([], names(MOVES_MOST.tenants + 1)))).toEqual(refusal);
});

test('what was moved before counts, but for what the cut-over replaces', () => {
  const to = 'cell-c';
  const moved: HealthRecord['moved'] = [
    ...ranges(MOVES_MOST.ranges).map((buckets) => ({ buckets, to, generation: 2 })),
    ...names(MOVES_MOST.tenants).map((tenant) => ({ tenant, to })),
  ];
  const records = [{ ...HOME, moved }];
  expect(asked(cutting([[9_000, 9_001]], []), {}, { records })).toHaveProperty('refused', 'too-many-moves');
  expect(asked(cutting([], ['another']), {}, { records })).toHaveProperty('refused', 'too-many-moves');
  expect(asked(cutting([[2, 2]], []), {}, { records })).toHaveProperty('record');
  expect(asked(cutting([[0, 65_535]], ['tenant-1']), {}, { records })).toHaveProperty('record');
});
