// The dry run of a fleet file: what it says moves is what moves, and no load is lost on the way.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Load } from '../../../../router/health/load.ts';
import { initialRecord, type HealthRecord, type Moved } from '../../../../router/health/record.ts';
import { BUCKETS } from '../../../../router/placement/hash.ts';
import type { PlacementInput } from '../../../../router/placement/history.ts';
import { buildPlacement, type Location } from '../../../../router/placement/placement.ts';
import { dryRun, type DryRun, type PlannedFleet } from '../../../../router/plan/dry-run.ts';
import type { Standing } from '../../../../router/plan/n-minus-one.ts';
import { fleetFrom } from '../fleet/fleets.ts';
import { histories } from '../placement/histories.ts';

const ORIGINS = ['cell-a', 'cell-b', 'cell-c', 'cell-d'].map((id, i): [string, object] => [
  id,
  { origin: `http://127.0.0.1:${4101 + i}`, zone: `az-${i}`, capacity: { rps: 1_000 } },
]);
const CELLS = Object.fromEntries(ORIGINS);
const THREE = { add: ['cell-a', 'cell-b', 'cell-c'] };

const fleet = (more: object = {}): PlannedFleet => fleetFrom({ cells: CELLS, generations: [THREE], ...more });
const generations = (...later: object[]): PlannedFleet => fleet({ generations: [THREE, ...later] });
const rps = (count: number): Load => ({ rps: count, concurrency: 0, tunnels: 0 });
const LOADS = new Map([
  ['cell-a', rps(300)],
  ['cell-b', rps(300)],
  ['cell-c', rps(300)],
]);

function run(
  before: PlannedFleet,
  after: PlannedFleet,
  standings: [string, Standing][] = [],
  loads: ReadonlyMap<string, Load> | null = LOADS,
  records: HealthRecord[] = [],
): DryRun {
  return dryRun(before, after, new Map(standings), loads, records);
}

const details = ({ violations }: DryRun, rule: string): string[] =>
  violations.filter((one) => one.rule === rule).map(({ detail }) => detail);

test('the same file moves nothing', () => {
  expect(run(fleet(), fleet())).toMatchObject({
    added: [],
    removed: [],
    movedBuckets: 0,
    moves: [],
    pins: [],
    neighbours: [],
    violations: [],
  });
});

test('a cell that joins takes its share of each other one, at its cut-over', () => {
  const plan = run(fleet(), generations({ add: ['cell-d'] }));
  expect(plan.added).toEqual(['cell-d']);
  expect(plan.movedBuckets).toBe(BUCKETS / 4);
  expect(plan.moves.map(({ from, to, at }) => [from, to, at])).toEqual([
    ['cell-a', 'cell-d', 'cut-over'],
    ['cell-b', 'cell-d', 'cut-over'],
    ['cell-c', 'cell-d', 'cut-over'],
  ]);
});

test('a settled generation moves at its activation', () => {
  const plan = run(fleet(), generations({ add: ['cell-d'], settled: true }));
  expect(new Set(plan.moves.map(({ at }) => at))).toEqual(new Set(['activation']));
  expect(plan.movedBuckets).toBe(BUCKETS / 4);
});

test('what was outstanding before is no move of the new file, and settling it is one', () => {
  const outstanding = generations({ add: ['cell-d'] });
  expect(run(outstanding, outstanding).movedBuckets).toBe(0);
  const plan = run(outstanding, generations({ add: ['cell-d'], settled: true }));
  expect(plan.movedBuckets).toBe(BUCKETS / 4);
  expect(plan.moves.every(({ to, at }) => to === 'cell-d' && at === 'activation')).toBe(true);
});

/** The records of a fleet in which these were cut over, from each cell. */
const movedFrom = (moved: Record<string, Moved[]>): HealthRecord[] =>
  Object.entries(moved).map(([home, entries]) => ({
    ...initialRecord(home, null),
    epoch: 3,
    moved: entries,
  }));
const half = (to: string, generation: number) => ({
  buckets: [0, 32_767] as [number, number],
  to,
  generation,
});

test('what was cut over moves no more, and its load is at its new home', () => {
  const outstanding = generations({ add: ['cell-d'] });
  const settled = generations({ add: ['cell-d'], settled: true });
  const entry = half('cell-d', 2);
  const records = movedFrom({ 'cell-a': [entry], 'cell-b': [entry], 'cell-c': [entry] });
  const plan = run(outstanding, settled, [], LOADS, records);
  const left = countWhere(
    outstanding,
    (bucket, { movingTo }) => movingTo === 'cell-d' && bucket > entry.buckets[1],
  );
  expect(plan.movedBuckets).toBe(left);
  expect(plan.moves.every(({ to, at }) => to === 'cell-d' && at === 'activation')).toBe(true);
  const all = { ...entry, buckets: [0, BUCKETS - 1] as [number, number] };
  const done = movedFrom({ 'cell-a': [all], 'cell-b': [all], 'cell-c': [all] });
  expect(run(outstanding, settled, [], LOADS, done).movedBuckets).toBe(0);
});

test('a removed cell that was half cut over gives the load that it still has to those that get the rest', () => {
  const leaving = generations({ remove: ['cell-b'] });
  const records = movedFrom({ 'cell-b': [half('cell-a', 2), half('cell-c', 2)] });
  const plan = run(leaving, generations({ remove: ['cell-b'], settled: true }), [], LOADS, records);
  const after = new Map(plan.loads.map(({ cell, after }) => [cell, after?.rps ?? -1]));
  expect(after.get('cell-b') ?? 0).toBe(0);
  expect((after.get('cell-a') ?? 0) + (after.get('cell-c') ?? 0)).toBeCloseTo(900);
});

test('settling the first of two generations takes back what was cut over past it: a violation', () => {
  const both = [{ add: ['cell-d'] }, { remove: ['cell-d'], reweight: { 'cell-b': 2 } }];
  const [first, second] = both;
  const before = generations(...both);
  const back = (cell: string) =>
    countWhere(
      before,
      (_, { unsettled }) => unsettled?.course.map(({ owner }) => owner).join(' ') === `cell-a cell-d ${cell}`,
    );
  const entries = ['cell-b', 'cell-c'].map((to): Moved => ({ buckets: [0, BUCKETS - 1], to, generation: 3 }));
  const records = movedFrom({ 'cell-a': entries });
  const plan = run(before, generations({ ...first, settled: true }, { ...second }), [], null, records);
  expect(plan.violations.filter(({ rule }) => rule === 'taken-back')).toEqual(
    ['cell-b', 'cell-c']
      .filter((cell) => back(cell) > 0)
      .map((cell) => ({
        cell: 'cell-d',
        rule: 'taken-back',
        detail: `${back(cell)} buckets that were cut over to ${cell} would be at home here again`,
      })),
  );
  expect(back('cell-b') + back('cell-c')).toBeGreaterThan(0);
  const together = generations(...both.map((one) => ({ ...one, settled: true })));
  expect(details(run(before, together, [], null, records), 'taken-back')).toEqual([]);
});

function countWhere(
  { placement }: PlannedFleet,
  wanted: (bucket: number, location: Location) => boolean,
): number {
  let count = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    if (wanted(bucket, placement.locateBucket(bucket))) count += 1;
  }
  return count;
}

test('a cell that leaves gives its load to the others', () => {
  const plan = run(fleet(), generations({ remove: ['cell-b'] }));
  expect(plan.removed).toEqual(['cell-b']);
  const after = new Map(plan.loads.map(({ cell, after }) => [cell, after?.rps ?? -1]));
  expect(after.get('cell-b')).toBe(0);
  expect((after.get('cell-a') ?? 0) + (after.get('cell-c') ?? 0)).toBeCloseTo(900);
  expect(plan.cells.map(({ cell }) => cell)).toEqual(['cell-a', 'cell-c']);
});

test('load goes with the buckets, and is held against the capacity of where it goes', () => {
  const plan = run(fleet(), generations({ add: ['cell-d'] }));
  expect(plan.loads[0]).toMatchObject({ cell: 'cell-a', before: rps(300), percentBefore: 30 });
  for (const { after, percentAfter } of plan.loads) {
    expect(after?.rps).toBeCloseTo(225, 0);
    expect(percentAfter).toBeCloseTo(22.5, 1);
  }
});

test('a loss that is not borne any more is a violation, and tells of the new fleet', () => {
  const loads = new Map([...LOADS.keys()].map((cell) => [cell, rps(450)]));
  expect(run(fleet(), fleet(), [], loads).violations).toEqual([]);
  const plan = run(fleet(), generations({ remove: ['cell-c'] }), [], loads);
  expect(plan.violations.map(({ cell, rule }) => [cell, rule])).toEqual([
    ['cell-a', 'over-capacity'],
    ['cell-b', 'over-capacity'],
  ]);
});

test('without a measured load the moves are told all the same', () => {
  const plan = run(fleet(), generations({ add: ['cell-d'] }), [], null);
  expect(plan.movedBuckets).toBe(BUCKETS / 4);
  expect(plan.loads.every(({ before, after }) => before === null && after === null)).toBe(true);
});

test('a neighbour that changes is told with the one in force, and waits for a home that is away', () => {
  const pairs = { 'cell-a': 'cell-c', 'cell-b': 'cell-a', 'cell-c': 'cell-b' };
  const turned = Object.fromEntries(
    Object.entries(pairs).map(([cell, neighbour]) => [cell, { ...CELLS[cell], neighbour }]),
  );
  const plan = run(fleet(), fleet({ cells: { ...CELLS, ...turned } }), [
    ['cell-a', { neighbour: 'cell-b', target: 'cell-b', share: 100, down: true, lacksStandby: false }],
    ['cell-b', { neighbour: 'cell-c', target: 'cell-b', share: 0, down: false, lacksStandby: false }],
    ['cell-c', { neighbour: 'cell-b', target: 'cell-c', share: 0, down: false, lacksStandby: false }],
  ]);
  expect(plan.neighbours).toEqual([
    { cell: 'cell-a', from: 'cell-b', to: 'cell-c', waits: true },
    { cell: 'cell-b', from: 'cell-c', to: 'cell-a', waits: false },
  ]);
  expect(plan.violations).toEqual([]);
});

test('a pin, another one, and its removal move one tenant each', () => {
  const [before, after] = [
    { acme: 'cell-a', bolt: 'cell-a', cord: 'cell-b' },
    { acme: 'cell-a', bolt: 'cell-b', erg: { cell: 'cell-c', settled: false } },
  ];
  const plan = run(fleet({ pins: before }), fleet({ pins: after }));
  const homes = buildPlacement(fleet().history);
  const pinsOf = (tenant: string) => plan.pins.filter((move) => move.tenant === tenant);
  expect(pinsOf('acme')).toEqual([]);
  expect(pinsOf('bolt')).toEqual([{ tenant: 'bolt', from: 'cell-a', to: 'cell-b', at: 'activation' }]);
  expect(homes.locate('cord').home).not.toBe('cell-b');
  expect(pinsOf('cord')).toEqual([
    { tenant: 'cord', from: 'cell-b', to: homes.locate('cord').home, at: 'activation' },
  ]);
  expect(homes.locate('erg').home).not.toBe('cell-c');
  expect(pinsOf('erg')).toEqual([
    { tenant: 'erg', from: homes.locate('erg').home, to: 'cell-c', at: 'cut-over' },
  ]);
  expect(plan.movedBuckets).toBe(0);
});

test('a pin that is not settled and moves its tenant at once is a violation', () => {
  const homes = buildPlacement(fleet().history);
  const acme = homes.locate('acme').home;
  const [other = '', third = ''] = THREE.add.filter((cell) => cell !== acme);
  const unsettled = (cell: string) => fleet({ pins: { acme: { cell, settled: false } } });
  const cutOver = movedFrom({ [acme]: [{ tenant: 'acme', to: other }] });
  const after = (before: object, pinned: PlannedFleet, records: HealthRecord[]) =>
    details(run(fleet({ pins: before }), pinned, [], null, records), 'moved-at-once');
  const words = 'acme would be at home here at once, though its pin is not settled';
  expect(after({}, unsettled(other), cutOver)).toEqual([words]);
  expect(after({ acme: other }, unsettled(third), [])).toEqual([words]);
  expect(after({}, unsettled(other), [])).toEqual([]);
  expect(after({ acme: { cell: other, settled: false } }, unsettled(third), cutOver)).toEqual([]);
  expect(after({ acme: { cell: other, settled: false } }, fleet({ pins: { acme: other } }), cutOver)).toEqual(
    [],
  );
});

test.each<[string, object, object, string]>([
  [
    'a generation that is gone',
    { generations: [THREE, { add: ['cell-d'] }] },
    { generations: [THREE] },
    'generations.1 is gone',
  ],
  [
    'a generation that is another',
    { generations: [THREE] },
    { generations: [{ add: ['cell-a', 'cell-b', 'cell-c', 'cell-d'] }] },
    'generations.0 is another one now',
  ],
  [
    'a generation that is settled no more',
    { generations: [THREE, { add: ['cell-d'], settled: true }] },
    { generations: [THREE, { add: ['cell-d'] }] },
    'generations.1 was settled, and is not any more',
  ],
  [
    'another weight at joining',
    {},
    { cells: { ...CELLS, 'cell-a': { ...CELLS['cell-a'], weight: 2 } } },
    'cells.cell-a.weight was 1 when it joined (a generation may reweight it)',
  ],
])('%s is a change of history', (_, before, after, detail) => {
  expect(details(run(fleet(before), fleet(after)), 'history-changed')).toEqual([detail]);
});

test('an order of names, a settling and more generations change no history', () => {
  const before = generations({ add: ['cell-d'] });
  const after = fleet({
    generations: [
      { add: ['cell-c', 'cell-b', 'cell-a'], settled: true },
      { add: ['cell-d'], settled: true },
      { reweight: { 'cell-a': 2 } },
    ],
  });
  expect(details(run(before, after), 'history-changed')).toEqual([]);
});

/** A fleet of a drawn history, as if it stood in a file. */
function fleetOfHistory(history: PlacementInput): PlannedFleet {
  const capacity = { rps: 1_000, concurrency: 100, tunnels: 100 };
  const cells = [...history.cells].map(
    ([id, { zone }]) => [id, { id, origin: `http://${id}:1`, zone, capacity, tags: {} }] as const,
  );
  return { digest: '', cells: new Map(cells), history, placement: buildPlacement(history) };
}

test('of any history and its beginning: moves are where the two placements differ, and no load is lost', () => {
  const loads = fc.array(fc.integer({ min: 0, max: 9_999 }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(histories(8), fc.nat(), loads, (history, cut, amounts) => {
      const length = 1 + (cut % history.generations.length);
      const before = fleetOfHistory({ ...history, generations: history.generations.slice(0, length) });
      const after = fleetOfHistory(history);
      const measured = new Map(
        before.placement.cells.map((cell, i) => [cell, rps(amounts[i % amounts.length] ?? 0)]),
      );
      const plan = run(before, after, [], measured);
      expect(plan.movedBuckets).toBe(differences(before, after));
      expect(totalOf(plan, 'after')).toBeCloseTo(totalOf(plan, 'before'), 3);
      expect(details(plan, 'history-changed')).toEqual([]);
    }),
    { numRuns: 12 },
  );
});

test('of any settled history, what moves into each cell less what moves out of it is what it has more', () => {
  fc.assert(
    fc.property(histories(8), fc.nat(), ({ generations, ...rest }, cut) => {
      const settled = generations.map((generation) => ({ ...generation, settled: true }));
      const length = 1 + (cut % settled.length);
      const before = fleetOfHistory({ ...rest, generations: settled.slice(0, length) });
      const after = fleetOfHistory({ ...rest, generations: settled });
      const plan = run(before, after, [], null);
      const flow = new Map<string, number>();
      for (const { from, to, buckets } of plan.moves) {
        flow.set(from, (flow.get(from) ?? 0) - buckets);
        flow.set(to, (flow.get(to) ?? 0) + buckets);
      }
      for (const cell of rest.cells.keys()) {
        const more = after.placement.bucketsOf(cell) - before.placement.bucketsOf(cell);
        expect(flow.get(cell) ?? 0).toBe(more);
      }
    }),
    { numRuns: 8 },
  );
});

function differences({ placement: before }: PlannedFleet, { placement: after }: PlannedFleet): number {
  let count = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const [a, b] = [before.locateBucket(bucket), after.locateBucket(bucket)];
    // A move that a later generation takes back before it was cut over is none.
    if (a.home !== b.home || (b.movingTo !== null && b.movingTo !== a.movingTo)) count += 1;
  }
  return count;
}

function totalOf({ loads }: DryRun, key: 'before' | 'after'): number {
  return loads.reduce((sum, change) => sum + (change[key]?.rps ?? 0), 0);
}
