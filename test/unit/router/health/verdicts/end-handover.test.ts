// How handovers end: who must have confirmed, and what happens when somebody has not.
import { expect, test } from 'vitest';
import { beginChange } from '../../../../../router/health/verdicts/change.ts';
import { closing } from '../../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord } from '../../../../../router/health/record.ts';
import type { Confirmation, Wish } from '../../../../../router/health/store.ts';
import { awayRecord, DOWN, homesOf, UP } from '../../../../support/machine.ts';
import { decided, everyone, liveOf, NOW } from '../../../../support/verdict.ts';

const TERMS = { until: NOW + 2_000, actor: 'ada', reason: 'disk swap', to: null };
const DRAIN = { state: 'drained', share: 100, deadline: NOW + 9_000, cause: 'operator' } as const;
const HOME: HealthRecord = initialRecord('cell-a', 'cell-b');
const DRAINING = closing(HOME, DRAIN, null, TERMS, NOW);
const RANGE: [number, number] = [0, 99];
const ALL_UP = { 'cell-a': UP, 'cell-b': UP, 'cell-c': UP };
const HELD: Confirmation = { epoch: 2, held: true, ready: false };
const READY: Confirmation = { epoch: 2, held: true, ready: true };

/** The record in closing by a cut-over that an operator asked for. */
function cutOver(record: HealthRecord, wish: Wish): HealthRecord {
  const { home, neighbour } = record;
  const words = {
    actor: 'ada',
    reason: 'test',
    owner: 'core',
    override: [],
    cause: 'move' as const,
    requiresStandby: false,
  };
  const change = { home, neighbour, wish, ...words, expiresInMs: 0, handoverMs: 2_000 };
  const records = new Map([[home, record]]);
  const live = liveOf(everyone(ALL_UP));
  const begun = beginChange(change, { now: NOW, live, records, handsOver: true, warmingUp: false });
  if ('refused' in begun) throw new Error(begun.refused);
  return begun.record;
}

/** One entry a machine: what it says of cell-a's handover, or nothing. */
function ended(
  told: (Confirmation | null)[],
  more: { record?: HealthRecord; others?: HealthRecord[]; now?: number; warmingUp?: boolean } = {},
) {
  const { record = DRAINING, others = [], ...rest } = more;
  return decided({
    homes: homesOf('cell-a', 'cell-b', 'cell-c'),
    votes: everyone(ALL_UP, told.length),
    confirmations: told.map((one): Record<string, Confirmation> => (one === null ? {} : { 'cell-a': one })),
    records: [record, ...others],
    minDwellMs: 1e9,
    ...rest,
  });
}

test('a handover opens when all live machines hold, and one has reached the cells', () => {
  const { changed, events } = ended([HELD, READY, HELD]);
  expect(changed).toMatchObject([
    {
      phase: 'open',
      state: 'drained',
      share: 100,
      operation: null,
      epoch: 3,
      handover: null,
      deadline: NOW + 9_000,
    },
  ]);
  expect(events).toMatchObject([
    {
      actor: 'ada',
      reason: 'disk swap',
      cause: 'operator',
      epoch: 3,
      details: { phase: 'open', share: 100 },
    },
  ]);
});

test.each([
  ['one says nothing', [READY, null]],
  ['one has requests inside', [READY, { ...HELD, held: false }]],
  ['one speaks of another epoch', [READY, { ...HELD, epoch: 1 }]],
  ['none has reached the cells', [HELD, HELD]],
])('a handover goes on while %s', (_, told) => {
  expect(ended(told).changed).toEqual([]);
});

test.each<[string, Partial<HealthRecord>, number | null]>([
  ['came home after a verdict', { state: 'returning', cause: 'recovered' }, NOW],
  ['was restored after a verdict', { state: 'failed-over', cause: 'unreachable' }, NOW],
  ['was away by force', { state: 'returning', cause: 'expired' }, 7],
  ['was drained', { state: 'drained', cause: 'operator' }, 7],
])('a home that %s is known to have returned at %4$s', (_, how, returned) => {
  const before: HealthRecord = { ...awayRecord('cell-a', 'cell-b', 1), returned: 7, ...how };
  const aim = { state: 'serving', share: 0, cause: 'recovered', deadline: null } as const;
  const record = closing(before, aim, null, TERMS, NOW);
  expect(ended([READY], { record }).changed).toMatchObject([{ share: 0, phase: 'open', returned }]);
});

test('a step on the way home is no return yet, and an undone one is none', () => {
  const before: HealthRecord = { ...awayRecord('cell-a', 'cell-b', 1), returned: 7 };
  const step = closing(before, { state: 'returning', share: 90, cause: 'recovered' }, null, TERMS, NOW);
  expect(ended([READY], { record: step }).changed).toMatchObject([{ share: 90, returned: 7 }]);
  const last = closing(before, { state: 'serving', share: 0, cause: 'recovered' }, null, TERMS, NOW);
  expect(ended([null], { record: last, now: NOW + 2_000 }).changed).toMatchObject([
    { share: 100, returned: 7 },
  ]);
});

test('a handover that is not confirmed in time is undone, and its event names who was waited for', () => {
  const { changed, events } = ended([HELD, null, { ...HELD, held: false }], { now: NOW + 2_000 });
  expect(changed).toMatchObject([
    { phase: 'open', state: 'serving', share: 0, target: 'cell-a', epoch: 3, undone: 1, handover: null },
  ]);
  expect(events).toMatchObject([
    { details: { phase: 'undone', waitingFor: ['r2: no answer', 'r3: requests inside', 'cells'] } },
  ]);
});

test('a handover that is confirmed too late, but before anybody undid it, opens', () => {
  expect(ended([READY], { now: NOW + 5_000 }).changed).toMatchObject([{ share: 100, phase: 'open' }]);
});

test('a clock that was set back does not keep a handover closing', () => {
  expect(ended([HELD], { now: NOW - 1_999 }).changed).toEqual([]);
  expect(ended([HELD], { now: NOW - 2_000 }).changed).toMatchObject([{ undone: 1 }]);
});

test('nothing ends while the machines are not all heard', () => {
  expect(ended([READY], { warmingUp: true }).changed).toEqual([]);
});

test('a closing record that only a cell has told of is undone', () => {
  expect(ended([READY], { record: { ...DRAINING, handover: null } }).changed).toMatchObject([
    { phase: 'open', share: 0, state: 'serving', target: 'cell-a' },
  ]);
});

const PINS = { acme: { cell: 'cell-b', until: NOW + 9_000 } };
const PINNING = closing(HOME, { pins: PINS }, { tenants: ['acme'], buckets: [] }, TERMS, NOW);
/** As a cell shows it. */
const adopted = (record: HealthRecord): HealthRecord => ({ ...record, cause: null, handover: null });

test('a pin that only a cell has told of stays closing while a machine may have requests inside', () => {
  const record = adopted(PINNING);
  for (const told of [null, { ...HELD, held: false }, { ...HELD, epoch: 1 }]) {
    expect(ended([HELD, told], { record, now: NOW + 9_000 }).changed).toEqual([]);
  }
});

test('once all machines hold its tenant, it is what it says, and nothing is called undone', () => {
  const { changed, events } = ended([HELD, HELD], { record: adopted(PINNING) });
  expect(changed).toMatchObject([{ phase: 'open', pins: PINS, changing: null, undone: 0, epoch: 3 }]);
  expect(events).toMatchObject([
    { actor: 'quorum', details: { phase: 'open', pin: { tenant: 'acme', cell: 'cell-b' } } },
  ]);
});

test('the end of a pin that only a cell has told of is no undo either, whatever was moved before', () => {
  const moved: HealthRecord['moved'] = [{ tenant: 'bolt', to: 'cell-c' }];
  const pinned = { ...HOME, pins: PINS, moved };
  const record = adopted(closing(pinned, { pins: {} }, { tenants: ['acme'], buckets: [] }, TERMS, NOW));
  const { changed, events } = ended([HELD], { record });
  expect(changed).toMatchObject([{ phase: 'open', pins: {}, moved }]);
  expect(events).toMatchObject([{ details: { phase: 'open', pin: { tenant: 'acme', cell: null } } }]);
});

test('a cut-over that only a cell has told of moves nothing, and takes nothing back', () => {
  const before: HealthRecord['moved'] = [
    { buckets: [10, 19], to: 'cell-c', generation: 2 },
    { tenant: 'bolt', to: 'cell-b' },
  ];
  const wish: Wish = { kind: 'cut-over', to: 'cell-c', buckets: [RANGE], tenants: ['acme'], generation: 2 };
  const record = adopted(cutOver({ ...HOME, moved: before }, wish));
  const { changed, events } = ended([null], { record });
  expect(changed).toMatchObject([{ phase: 'open', moved: before, changing: null }]);
  expect(events).toMatchObject([{ details: { phase: 'undone' } }]);
});

test('a handover whose home dies ends in a failover, one whose neighbour dies at home', () => {
  const dead = (cell: string) =>
    decided({
      homes: homesOf('cell-a', 'cell-b', 'cell-c'),
      votes: everyone({ ...ALL_UP, [cell]: DOWN }),
      records: [DRAINING],
    }).changed.filter(({ home }) => home === 'cell-a');
  expect(dead('cell-a')).toMatchObject([{ state: 'failed-over', share: 100, phase: 'open', deadline: null }]);
  expect(dead('cell-b')).toMatchObject([
    { state: 'serving', share: 0, phase: 'open', cause: 'neighbour-lost' },
  ]);
});

const CUTTING = closing(
  HOME,
  { moved: [{ buckets: RANGE, to: 'cell-c', generation: 2 }], cause: 'move' },
  { tenants: [], buckets: [RANGE] },
  { ...TERMS, to: 'cell-c' },
  NOW,
);

test('a cut-over raises the epochs of both homes, and gives back what the new one had moved away', () => {
  const moved: HealthRecord['moved'] = [{ buckets: [50, 149], to: 'cell-a', generation: 1 }];
  const others = [{ ...initialRecord('cell-c', 'cell-a'), epoch: 5, moved }];
  expect(ended([READY], { record: CUTTING, others }).changed).toMatchObject([
    { home: 'cell-a', epoch: 3, phase: 'open', moved: [{ buckets: [0, 99], to: 'cell-c' }], changing: null },
    { home: 'cell-c', epoch: 6, phase: 'open', moved: [{ buckets: [100, 149], to: 'cell-a' }] },
  ]);
});

test('a cut-over to a home whose tenants are away is undone', () => {
  const others = [awayRecord('cell-c', 'cell-a', 5)];
  const { changed } = ended([READY], { record: CUTTING, others });
  expect(changed).toMatchObject([{ home: 'cell-a', epoch: 3, moved: [], changing: null, undone: 1 }]);
});

test('a cut-over that opens replaces what was moved to the same cell before', () => {
  const moved: HealthRecord['moved'] = [
    { buckets: [10, 19], to: 'cell-c', generation: 2 },
    { buckets: [90, 109], to: 'cell-c', generation: 2 },
    { buckets: [10, 19], to: 'cell-b', generation: 2 },
  ];
  const wish: Wish = { kind: 'cut-over', to: 'cell-c', buckets: [RANGE], tenants: [], generation: 3 };
  const record = cutOver({ ...HOME, moved }, wish);
  expect(record.moved).toHaveLength(4);
  expect(ended([READY], { record }).changed[0]?.moved).toEqual([
    { buckets: [100, 109], to: 'cell-c', generation: 2 },
    { buckets: [10, 19], to: 'cell-b', generation: 2 },
    { buckets: RANGE, to: 'cell-c', generation: 3 },
  ]);
});
