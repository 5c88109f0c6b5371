// What is kept of the standbys that a cell tells of: only what is well formed, of homes that it is the neighbour of.
import { expect, test } from 'vitest';
import { Standbys, type Standby } from '../../../../../router/health/cells/standbys.ts';
import { initialRecord, type HealthRecord } from '../../../../../router/health/record.ts';

const SYNCED: Standby = { state: 'synced', lagBytes: 0, lagSeconds: 0.5 };

/** By the file cell-b stands in for cell-a, and cell-c for cell-b. */
function standbys(...inForce: HealthRecord[]): Standbys {
  const neighbours = new Map([
    ['cell-a', 'cell-b'],
    ['cell-b', 'cell-c'],
    ['cell-c', null],
  ]);
  const rulesFor = (cell: string) => inForce.filter((one) => [one.home, one.neighbour].includes(cell));
  const one = new Standbys({ rulesFor });
  one.setPlacement({ cells: [...neighbours.keys()], neighbourOf: (cell) => neighbours.get(cell) ?? null });
  return one;
}

test('a synced standby is told of, and shown with its lag', () => {
  const one = standbys();
  one.hear('cell-b', { 'cell-a': { ...SYNCED, somethingElse: true } });
  expect([one.syncedAt('cell-b'), one.of('cell-b', 'cell-a')]).toEqual([['cell-a'], SYNCED]);
});

test.each(['copying', 'broken'] as const)('one that is %s is shown, and not synced', (state) => {
  const one = standbys();
  one.hear('cell-b', { 'cell-a': { state } });
  expect(one.of('cell-b', 'cell-a')).toEqual({ state, lagBytes: null, lagSeconds: null });
  expect(one.syncedAt('cell-b')).toEqual([]);
});

test.each<unknown>([
  'synced',
  null,
  [],
  { state: 'SYNCED' },
  { ...SYNCED, lagBytes: '0' },
  { ...SYNCED, lagSeconds: -1 },
  { ...SYNCED, lagSeconds: Number.POSITIVE_INFINITY },
])('a malformed standby is none: %j', (told) => {
  const one = standbys();
  one.hear('cell-b', { 'cell-a': told });
  expect([one.syncedAt('cell-b'), one.of('cell-b', 'cell-a')]).toEqual([[], null]);
});

test('homes that the cell is not the neighbour of do not count, its own neither', () => {
  const one = standbys();
  one.hear('cell-b', { 'cell-b': SYNCED, 'cell-c': SYNCED, 'cell-x': SYNCED, ['__proto__']: SYNCED });
  expect(one.syncedAt('cell-b')).toEqual([]);
  expect(one.of('cell-b', 'cell-c')).toBe(null);
});

test('the neighbour in force counts as the one that the file wants instead', () => {
  const one = standbys(initialRecord('cell-a', 'cell-c'));
  one.hear('cell-b', { 'cell-a': SYNCED });
  one.hear('cell-c', { 'cell-b': SYNCED, 'cell-a': SYNCED });
  expect([one.syncedAt('cell-b'), one.syncedAt('cell-c')]).toEqual([['cell-a'], ['cell-a', 'cell-b']]);
});

test('the newest answer counts alone, and none of a cell that is forgotten', () => {
  const one = standbys();
  one.hear('cell-b', { 'cell-a': SYNCED });
  one.hear('cell-b', {});
  expect(one.syncedAt('cell-b')).toEqual([]);
  one.hear('cell-b', { 'cell-a': SYNCED });
  one.forget('cell-b');
  expect(one.syncedAt('cell-b')).toEqual([]);
});
