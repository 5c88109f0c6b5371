// What a router knows: for each home the newest record, whatever way it came.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialRecord, type HealthRecord } from '../../../../router/health/record.ts';
import { HealthView } from '../../../../router/health/view.ts';
import { awayRecord } from '../../../support/machine.ts';
import { fleetFrom, PAIR } from '../fleet/fleets.ts';

const HOMES = ['cell-a', 'cell-b', 'cell-c'];
const THREE = {
  cells: Object.fromEntries(HOMES.map((id, i) => [id, { origin: `http://127.0.0.1:${4101 + i}` }])),
  generations: [{ add: HOMES }],
};

function placementWith(neighbourOfA: string) {
  const cells = { ...THREE.cells, 'cell-a': { ...THREE.cells['cell-a'], neighbour: neighbourOfA } };
  return fleetFrom({ ...THREE, cells }).placement;
}

const PLACEMENT = placementWith('cell-b');
const OTHER = placementWith('cell-c');

test('a home of which nothing is known is served by itself, with the file’s neighbour', () => {
  expect(new HealthView(PLACEMENT).recordOf('cell-a')).toEqual(initialRecord('cell-a', 'cell-b'));
});

test('a home that is not in the fleet is served by itself, without a neighbour', () => {
  expect(new HealthView(PLACEMENT).recordOf('cell-z')).toEqual(initialRecord('cell-z', null));
});

test('a newer record is taken over and told', () => {
  const view = new HealthView(PLACEMENT);
  const away = awayRecord('cell-a', 'cell-b', 2);
  expect(view.apply([away])).toEqual([away]);
  expect(view.recordOf('cell-a')).toEqual(away);
});

test('a record that is not newer changes nothing and is not told', () => {
  const view = new HealthView(PLACEMENT);
  view.apply([awayRecord('cell-a', 'cell-b', 5)]);
  const late = { ...initialRecord('cell-a', 'cell-b'), epoch: 5 };
  expect(view.apply([late, { ...late, epoch: 4 }])).toEqual([]);
  expect(view.recordOf('cell-a').state).toBe('failed-over');
});

test('of two records of a home in one message the newer one stands, and it alone is told', () => {
  for (const epochs of [
    [5, 3],
    [3, 5],
  ]) {
    const view = new HealthView(PLACEMENT);
    const told = view.apply(epochs.map((epoch) => awayRecord('cell-a', 'cell-b', epoch)));
    expect([view.recordOf('cell-a').epoch, told.map(({ epoch }) => epoch)]).toEqual([5, [5]]);
  }
});

const batches = fc.array(
  fc.array(
    fc
      .record({ home: fc.constantFrom(...HOMES), epoch: fc.integer({ min: 1, max: 50 }) })
      .map(({ home, epoch }): HealthRecord => ({ ...awayRecord(home, 'cell-b', epoch), since: epoch })),
    { maxLength: 6 },
  ),
  { maxLength: 10 },
);

test('whatever the order, for each home the highest epoch stands', () => {
  fc.assert(
    fc.property(batches, (all) => {
      const view = new HealthView(PLACEMENT);
      for (const batch of all) view.apply(batch);
      for (const home of HOMES) {
        const epochs = all.flat().flatMap((record) => (record.home === home ? [record.epoch] : []));
        expect(view.recordOf(home).epoch).toBe(Math.max(1, ...epochs));
      }
    }),
  );
});

test('an epoch never goes back', () => {
  fc.assert(
    fc.property(batches, (all) => {
      const view = new HealthView(PLACEMENT);
      let before = HOMES.map(() => 0);
      for (const batch of all) {
        view.apply(batch);
        const after = HOMES.map((home) => view.recordOf(home).epoch);
        after.forEach((epoch, i) => expect(epoch).toBeGreaterThanOrEqual(before[i] ?? 0));
        before = after;
      }
    }),
  );
});

test.each<[string, HealthRecord]>([
  ['serves', { ...initialRecord('cell-a', 'cell-b'), epoch: 3 }],
  ['is away', awayRecord('cell-a', 'cell-b', 3)],
])(
  'where a record of a home that %s is known, its own neighbour stands until a newer one says otherwise',
  (_, record) => {
    const view = new HealthView(PLACEMENT);
    view.apply([record]);
    view.setPlacement(OTHER);
    expect(view.recordOf('cell-a')).toEqual(record);
    view.apply([{ ...record, neighbour: 'cell-c', epoch: 4 }]);
    expect(view.recordOf('cell-a')).toMatchObject({ neighbour: 'cell-c', epoch: 4 });
  },
);

test('where none is known, the neighbour is the file’s', () => {
  const view = new HealthView(PLACEMENT);
  view.setPlacement(OTHER);
  expect(view.recordOf('cell-a')).toEqual(initialRecord('cell-a', 'cell-c'));
});

test('a home is known once anything was told of it, and not before', () => {
  const view = new HealthView(PLACEMENT);
  view.apply([awayRecord('cell-a', 'cell-b', 2)]);
  expect(HOMES.map((home) => view.knows(home))).toEqual([true, false, false]);
});

test('a tenant’s own cut-overs are known of all homes, also of those that left, but to no cell that did', () => {
  const view = new HealthView(PLACEMENT);
  const moved = (home: string, tenant: string, to: string): HealthRecord => ({
    ...initialRecord(home, null),
    epoch: 3,
    moved: [{ tenant, to }],
  });
  view.apply([moved('cell-z', 'acme', 'cell-b'), moved('cell-a', 'bolt', 'cell-z')]);
  expect(['acme', 'bolt', 'cord'].map((tenant) => view.movedTenant(tenant))).toEqual(['cell-b', null, null]);
});

test('a range that a later generation than the file’s took is overtaken at its old home, until the file has it', () => {
  const view = new HealthView(PLACEMENT);
  const moved = [{ buckets: [10, 20], to: 'cell-b', generation: 2 }] satisfies HealthRecord['moved'];
  const asked = [9, 10, 20, 21].map((bucket) => ['cell-a', bucket] as const);
  const overtaken = () => asked.map(([home, bucket]) => view.isOvertaken(home, bucket));
  view.apply([{ ...initialRecord('cell-a', 'cell-b'), epoch: 3, moved }]);
  expect(overtaken()).toEqual([false, true, true, false]);
  expect(view.isOvertaken('cell-b', 10)).toBe(false);
  view.setPlacement(
    fleetFrom({ ...THREE, generations: [{ add: HOMES }, { reweight: { 'cell-a': 2 }, settled: true }] })
      .placement,
  );
  expect(overtaken()).toEqual([false, false, false, false]);
});

test('moves are counted when records of moves change, and by no others', () => {
  const view = new HealthView(PLACEMENT);
  view.apply([awayRecord('cell-a', 'cell-b', 2)]);
  expect(view.moves).toBe(0);
  view.apply([{ ...initialRecord('cell-a', 'cell-b'), epoch: 3, moved: [{ tenant: 'acme', to: 'cell-b' }] }]);
  expect(view.moves).toBe(1);
  view.apply([{ ...initialRecord('cell-a', 'cell-b'), epoch: 4 }]);
  expect(view.moves).toBe(2);
});

test('a cell’s rules are those of its own home and of the homes it stands in for', () => {
  const view = new HealthView(PLACEMENT);
  view.apply([awayRecord('cell-a', 'cell-b', 2)]);
  const standsInFor = HOMES.filter((home) => view.recordOf(home).neighbour === 'cell-b');
  expect(new Set(view.rulesFor('cell-b').map(({ home }) => home))).toEqual(
    new Set(['cell-b', ...standsInFor]),
  );
  expect(view.rulesFor('cell-b').find(({ home }) => home === 'cell-a')).toEqual(view.recordOf('cell-a'));
});

test('a cell that no pair has gets no rules', () => {
  expect(new HealthView(PLACEMENT).rulesFor('cell-z')).toEqual([]);
});

test('the rules follow a changed pair', () => {
  const view = new HealthView(PLACEMENT);
  view.setPlacement(OTHER);
  expect(view.rulesFor('cell-c').map(({ home }) => home)).toContain('cell-a');
});

test('records of homes that the file no longer has are kept, to be brought back with the others', () => {
  const view = new HealthView(PLACEMENT);
  view.apply([awayRecord('cell-c', 'cell-a', 3)]);
  view.setPlacement(fleetFrom(PAIR).placement);
  expect(view.records).toEqual([awayRecord('cell-c', 'cell-a', 3)]);
});
