// What begins by itself: the end of pins, and a new neighbour. Steps home are in way-home.test.ts.
import { expect, test } from 'vitest';
import { initialRecord, type HealthRecord, type Vote } from '../../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, syncedOf, UP } from '../../../../support/machine.ts';
import { decided, everyone, NOW, type Situation } from '../../../../support/verdict.ts';

const ALL_UP: Record<string, Vote> = { 'cell-a': UP, 'cell-b': UP, 'cell-c': UP };
const HOME = initialRecord('cell-a', 'cell-b');

function begun(record: HealthRecord, more: Partial<Situation> = {}) {
  const homes = homesOf('cell-a', 'cell-b', 'cell-c');
  return decided({ homes, votes: everyone(ALL_UP), records: [record], ...more });
}

test('a pin whose time is up ends by a handover of its tenant alone', () => {
  const pins = {
    acme: { cell: 'cell-b', until: NOW },
    bolt: { cell: 'cell-b', until: NOW + 1 },
  };
  const { changed, events } = begun({ ...HOME, pins });
  expect(changed).toMatchObject([
    {
      phase: 'closing',
      changing: { tenants: ['acme'], buckets: [] },
      pins: { bolt: { cell: 'cell-b' } },
      share: 0,
      operation: null,
    },
  ]);
  expect(events).toMatchObject([{ cause: 'expired', details: { pin: { tenant: 'acme', cell: null } } }]);
});

test('a pin to where its tenant would be anyway ends without a handover', () => {
  const { changed } = begun({ ...HOME, pins: { acme: { cell: 'cell-a', until: NOW } } });
  expect(changed).toMatchObject([{ phase: 'open', pins: {}, epoch: 2 }]);
});

test('of several pins the one that expired first ends first, then the first by name', () => {
  const at = (until: number) => ({ cell: 'cell-b', until });
  const pins = { cato: at(NOW - 1), bolt: at(NOW - 2), acme: at(NOW - 2) };
  expect(begun({ ...HOME, pins }).changed).toMatchObject([{ changing: { tenants: ['acme'] } }]);
});

const EXPIRED = Object.fromEntries(
  ['acme', 'bolt', 'cato'].map((tenant, i) => [tenant, { cell: 'cell-b', until: NOW - 9 + i }]),
);

test.each([
  [0, 'acme'],
  [1, 'bolt'],
  [2, 'cato'],
  [3, 'acme'],
])('after %i undone handovers the pin of %2$s is tried', (undone, tenant) => {
  const record = { ...HOME, pins: EXPIRED, since: NOW - 600_000, undone };
  expect(begun(record).changed).toMatchObject([{ changing: { tenants: [tenant] } }]);
});

test('a pin that can not end now does not keep the others', () => {
  const away: HealthRecord = {
    ...HOME,
    share: 99,
    shareBefore: 99,
    operation: 2,
    target: 'cell-b',
    cause: 'operator',
    deadline: NOW + 9,
    // By its slot it is away, as nearly all are: its pin has it at home, and the neighbour is not up.
    pins: { acme: { cell: 'cell-a', until: NOW - 1 }, bolt: { cell: 'cell-b', until: NOW } },
  };
  const votes = everyone({ 'cell-a': UP });
  expect(begun(away, { votes }).changed).toMatchObject([
    { phase: 'open', pins: { acme: { cell: 'cell-a' } } },
  ]);
  expect(begun(away, { votes }).changed[0]?.pins).not.toHaveProperty('bolt');
});

/** Nearly all are away, and acme is pinned to its home until now. */
const PINNED_HOME: HealthRecord = {
  ...HOME,
  share: 99,
  shareBefore: 99,
  operation: 2,
  target: 'cell-b',
  cause: 'operator',
  deadline: NOW + 9,
  pins: { acme: { cell: 'cell-a', until: NOW } },
};

test('a pin does not end while the cell that would gain its tenant is down', () => {
  expect(begun(PINNED_HOME, { votes: everyone({ 'cell-a': UP }) }).changed).toEqual([]);
});

test('a pin does not end while the neighbour that would gain its tenant lacks the standby that is required', () => {
  const required = { requiresStandby: true };
  expect(begun(PINNED_HOME, required).changed).toEqual([]);
  const votes = everyone({ ...ALL_UP, 'cell-b': syncedOf('cell-a') });
  expect(begun(PINNED_HOME, { ...required, votes }).changed).toMatchObject([{ phase: 'closing', pins: {} }]);
});

test('nothing begins for a home that gains buckets', () => {
  const cutting: HealthRecord = {
    ...initialRecord('cell-c', 'cell-a'),
    phase: 'closing',
    since: NOW,
    handover: {
      until: NOW + 2_000,
      actor: 'ada',
      reason: 'test',
      to: 'cell-a',
      from: initialRecord('cell-c', 'cell-a'),
    },
  };
  const record = { ...HOME, pins: { acme: { cell: 'cell-b', until: NOW } } };
  expect(begun(record, { records: [record, cutting] }).changed).toEqual([]);
});

/** What a record says whose tenants are at home again. */
const SERVING = { state: 'serving', share: 0, target: 'cell-x' } as const;
const NEXT = [{ home: 'cell-a', neighbour: 'cell-c', buckets: 1, zone: null }];

test('a home that serves gets the neighbour that the fleet file wants', () => {
  const { changed, events } = begun(HOME, { homes: NEXT });
  expect(changed).toMatchObject([{ neighbour: 'cell-c', target: 'cell-a', epoch: 2, cause: 'move' }]);
  expect(events).toMatchObject([{ details: { neighbour: { from: 'cell-b', to: 'cell-c' } } }]);
});

test.each<[string, HealthRecord, Partial<Situation>]>([
  ['its tenants are away', { ...awayRecord('cell-a', 'cell-b', 2), cause: 'operator' }, {}],
  ['a tenant is pinned to the old one', { ...HOME, pins: { acme: { cell: 'cell-b', until: NOW + 9 } } }, {}],
  ['the live machines have different files', HOME, { oneFleet: false }],
  ['the new one is down', HOME, { votes: everyone({ ...ALL_UP, 'cell-c': DOWN }) }],
])('a home keeps its neighbour while %s', (_, record, more) => {
  expect(begun(record, { homes: NEXT, ...more }).changed).toEqual([]);
});

test('a new neighbour waits for its standby where one is required, and no longer', () => {
  const required = { homes: NEXT, requiresStandby: true };
  expect(begun(HOME, required).changed).toEqual([]);
  const votes = everyone({ ...ALL_UP, 'cell-c': syncedOf('cell-a') });
  expect(begun(HOME, { ...required, votes }).changed).toMatchObject([{ neighbour: 'cell-c', epoch: 2 }]);
});

test('where a standby is required, a home that never changed keeps the first neighbour that has one', () => {
  const votes = everyone({ ...ALL_UP, 'cell-c': syncedOf('cell-a') });
  const said = { homes: NEXT, records: [], votes, requiresStandby: true };
  const kept = [initialRecord('cell-a', 'cell-c')];
  expect(begun(HOME, said)).toMatchObject({ changed: kept, events: [] });
  expect(begun(HOME, { ...said, records: kept }).changed).toEqual([]);
});

test.each<[string, Partial<Situation>]>([
  ['none is required', { requiresStandby: false }],
  ['none is synced', { votes: everyone(ALL_UP) }],
  ['the live machines have different files', { oneFleet: false }],
  [
    'another home has tenants there',
    { records: [{ ...awayRecord('cell-x', 'cell-c', 2), cause: 'operator' }] },
  ],
])('a home that never changed stays without a record where %s', (_, more) => {
  const votes = everyone({ ...ALL_UP, 'cell-c': syncedOf('cell-a') });
  const said = { homes: NEXT, records: [], votes, requiresStandby: true };
  expect(begun(HOME, { ...said, ...more }).changed).toEqual([]);
});

test('a home does not get a neighbour that it stands in for', () => {
  const records = [HOME, { ...awayRecord('cell-c', 'cell-a', 2), cause: 'operator' as const }];
  expect(begun(HOME, { homes: NEXT, records }).changed).toEqual([]);
});

/** cell-x had cell-c before this file, and has its tenants there still; the file gives it another one. */
const X_AWAY: HealthRecord = { ...awayRecord('cell-x', 'cell-c', 2), cause: 'operator' };
const ruleOf = (home: string, neighbour: string) => ({ home, neighbour, buckets: 1, zone: null });
const SWAPPED = [ruleOf('cell-a', 'cell-c'), ruleOf('cell-x', 'cell-b')];

test.each<[string, HealthRecord]>([
  ['has all of its tenants', X_AWAY],
  ['has a tenant pinned', { ...X_AWAY, ...SERVING, pins: { acme: { cell: 'cell-c', until: NOW + 9 } } }],
])('a home waits for its new neighbour while the one that had it before %s there', (_, record) => {
  expect(begun(HOME, { homes: SWAPPED, records: [HOME, record] }).changed).toEqual([]);
});

test('once those are at home, it gets its new neighbour', () => {
  const records = [HOME, { ...X_AWAY, ...SERVING, cause: 'recovered' as const }];
  const { changed } = begun(HOME, { homes: SWAPPED, records });
  expect(changed).toMatchObject([
    { home: 'cell-a', neighbour: 'cell-c' },
    { home: 'cell-x', neighbour: 'cell-b' },
  ]);
});

test('a cell that the file gives to two homes may have the tenants of both', () => {
  const homes = [ruleOf('cell-a', 'cell-c'), ruleOf('cell-x', 'cell-c')];
  const { changed } = begun(HOME, { homes, records: [HOME, X_AWAY] });
  expect(changed).toMatchObject([{ home: 'cell-a', neighbour: 'cell-c' }]);
});

test('a home fails over to the neighbour of its record, not to that of a file that is not in force', () => {
  const votes = everyone({ ...ALL_UP, 'cell-a': DOWN });
  expect(begun(HOME, { homes: NEXT, votes, oneFleet: false }).changed).toMatchObject([{ target: 'cell-b' }]);
});
