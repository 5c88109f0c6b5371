// The N-1 table: how full a neighbour gets, by what was measured and by what was declared, and what speaks against it.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Load } from '../../../../router/health/load.ts';
import { planRows, type Picture, type PlanRow, type Standing } from '../../../../router/plan/n-minus-one.ts';
import { loadsOver } from '../../../../router/plan/loads.ts';
import { unknownLoad } from '../../../../router/plan/violations.ts';

const CAPACITY = { rps: 1_000, concurrency: 100, tunnels: 500 };
const NONE: Load = { rps: 0, concurrency: 0, tunnels: 0 };
const rps = (count: number): Load => ({ ...NONE, rps: count });

type Told = {
  load?: Load;
  buckets?: number;
  zone?: string | null;
  capacity?: Load;
  standing?: Partial<Standing>;
};

/** Cells by name, each one's neighbour the next, and loads measured, unless told otherwise. */
function pictureOf(told: Record<string, Told>, measured = true): Picture {
  const cells = Object.keys(told);
  return {
    cells,
    declared: new Map(
      cells.map((cell, i) => {
        const { zone = `az-${i}`, capacity = CAPACITY } = told[cell] ?? {};
        return [cell, { zone, capacity }];
      }),
    ),
    bucketsOf: (cell) => told[cell]?.buckets ?? 100,
    standingOf: (cell) => {
      const next = cells[(cells.indexOf(cell) + 1) % cells.length] ?? null;
      return {
        neighbour: next,
        target: cell,
        share: 0,
        down: false,
        lacksStandby: false,
        ...told[cell]?.standing,
      };
    },
    loads: measured ? new Map(cells.map((cell) => [cell, told[cell]?.load ?? NONE])) : null,
  };
}

function rowOf(cell: string, told: Record<string, Told>, measured?: boolean): PlanRow {
  const row = planRows(pictureOf(told, measured)).find((row) => row.cell === cell);
  if (row === undefined) throw new Error(`no row of ${cell}`);
  return row;
}

const rulesOf = (row: PlanRow): string[] => row.violations.map(({ rule }) => rule);

test('the neighbour carries its own tenants and those of the lost cell', () => {
  const row = rowOf('cell-a', { 'cell-a': { load: rps(300) }, 'cell-b': { load: rps(200) } });
  expect(row).toMatchObject({
    neighbour: 'cell-b',
    load: rps(300),
    loadIfLost: rps(500),
    percent: 50,
    violations: [],
  });
});

test.each([
  ['requests a second', { rps: 900, concurrency: 10, tunnels: 50 }, 90],
  ['requests inside', { rps: 100, concurrency: 80, tunnels: 50 }, 80],
  ['tunnels', { rps: 100, concurrency: 10, tunnels: 350 }, 70],
])('the fullest of what a cell can carry decides: %s', (_, load, percent) => {
  expect(rowOf('cell-a', { 'cell-a': { load }, 'cell-b': {} }).percent).toBeCloseTo(percent);
});

test('it is the capacity of the neighbour that counts', () => {
  const small = { rps: 400, concurrency: 100, tunnels: 100 };
  const row = rowOf('cell-a', { 'cell-a': { load: rps(300) }, 'cell-b': { capacity: small } });
  expect(row).toMatchObject({ capacity: CAPACITY, percent: 75 });
});

test('a standby that is required and lacking is a violation', () => {
  const row = rowOf('cell-a', { 'cell-a': { standing: { lacksStandby: true } }, 'cell-b': {} });
  expect(row.violations).toEqual([
    { cell: 'cell-a', rule: 'no-standby', detail: 'cell-b has no synced standby of it' },
  ]);
});

test('exactly full is no violation, a little more is one', () => {
  expect(rulesOf(rowOf('cell-a', { 'cell-a': { load: rps(1_000) }, 'cell-b': {} }))).toEqual([]);
  const row = rowOf('cell-a', { 'cell-a': { load: rps(1_000.5) }, 'cell-b': {} });
  expect(row.violations).toEqual([
    { cell: 'cell-a', rule: 'over-capacity', detail: 'cell-b would need 101 % of its capacity' },
  ]);
});

test('an unknown load is null, and no violation of the cell', () => {
  expect(rowOf('cell-a', { 'cell-a': {}, 'cell-b': {} }, false)).toMatchObject({
    load: null,
    loadIfLost: null,
    percent: null,
    percentByWeights: 100,
    violations: [],
  });
});

test.each([
  [0, 1],
  [0, 0],
  [1, 2],
])('load told by %i of %i routers is told as not known', (told, live) => {
  expect(unknownLoad({ told, live })).toEqual([
    { cell: null, rule: 'load-unknown', detail: `${told} of ${live} routers told their load` },
  ]);
});

test('load told by all routers is known', () => {
  expect(unknownLoad({ told: 2, live: 2 })).toEqual([]);
});

test('equal cells of equal weight are sized for double load exactly', () => {
  const rows = planRows(pictureOf({ 'cell-a': {}, 'cell-b': {}, 'cell-c': {} }));
  expect(rows.map(({ percentByWeights }) => percentByWeights)).toEqual([100, 100, 100]);
});

test('a weight without the capacity for it shows, whatever is measured', () => {
  const told = { 'cell-a': {}, 'cell-b': { buckets: 200 }, 'cell-c': {} };
  const rows = planRows(pictureOf(told));
  expect(rows.map(({ percentByWeights }) => percentByWeights)).toEqual([112.5, 112.5, 75]);
});

test('a cell that is away already makes its neighbour no fuller by being lost', () => {
  const told = {
    'cell-a': { load: rps(300), standing: { target: 'cell-b', share: 100 } },
    'cell-b': { load: rps(200) },
    'cell-c': {},
  };
  expect(rowOf('cell-a', told).loadIfLost).toEqual(rps(500));
});

test('a share that is away counts where it is', () => {
  const told = {
    'cell-a': { load: rps(100), standing: { share: 40 } },
    'cell-b': { load: rps(200) },
    'cell-c': { load: rps(50) },
  };
  expect(rowOf('cell-a', told).loadIfLost).toEqual(rps(300));
  expect(rowOf('cell-b', told).loadIfLost).toEqual(rps(250));
  expect(rowOf('cell-c', told).loadIfLost).toEqual(rps(110));
});

test('guests of a shared neighbour are counted beside those of the lost cell', () => {
  const told = {
    'cell-a': { load: rps(100), standing: { neighbour: 'cell-c', target: 'cell-c', share: 100 } },
    'cell-b': { load: rps(200), standing: { neighbour: 'cell-c' } },
    'cell-c': { load: rps(50) },
  };
  expect(rowOf('cell-b', told).loadIfLost).toEqual(rps(350));
});

test.each<[string, Told, Told, string]>([
  ['without a neighbour', { standing: { neighbour: null } }, {}, 'no-neighbour'],
  ['whose neighbour is down', {}, { standing: { down: true } }, 'neighbour-down'],
  ['whose neighbour is away', {}, { standing: { target: 'cell-c', share: 100 } }, 'neighbour-away'],
  ['whose neighbour is in its zone', { zone: 'az-9' }, { zone: 'az-9' }, 'same-zone'],
  ['without a zone, as its neighbour', { zone: null }, { zone: null }, 'same-zone'],
])('a cell %s is a violation', (_, a, b, rule) => {
  expect(rulesOf(rowOf('cell-a', { 'cell-a': a, 'cell-b': b, 'cell-c': {} }))).toEqual([rule]);
});

test('one zone for all is no violation: there is no other to be in', () => {
  expect(rulesOf(rowOf('cell-a', { 'cell-a': { zone: 'az-1' }, 'cell-b': { zone: 'az-1' } }))).toEqual([]);
});

test('a fleet of one cell bears no loss', () => {
  const row = rowOf('cell-a', { 'cell-a': { standing: { neighbour: null } } });
  expect(row).toMatchObject({ percent: null, percentByWeights: null });
  expect(rulesOf(row)).toEqual(['no-neighbour']);
});

const loads = fc.record({
  rps: fc.integer({ min: 0, max: 5_000 }),
  concurrency: fc.integer({ min: 0, max: 500 }),
  tunnels: fc.integer({ min: 0, max: 500 }),
});

test('whatever share is away, a loss leaves the neighbour with the load of the two, and of no third', () => {
  const cells = fc.array(fc.record({ load: loads, share: fc.integer({ min: 0, max: 100 }) }), {
    minLength: 3,
    maxLength: 12,
  });
  fc.assert(
    fc.property(cells, (drawn) => {
      // Only every other cell has tenants away: a neighbour that is at home carries all of its own.
      const told = drawn.map(({ load, share }, i): [string, Told] => [
        `cell-${String.fromCodePoint(97 + i)}`,
        { load, standing: { share: i % 2 === 0 && i < drawn.length - 1 ? share : 0 } },
      ]);
      const rows = planRows(pictureOf(Object.fromEntries(told)));
      for (const [i, row] of rows.entries()) {
        if (i % 2 === 1 || i === rows.length - 1) continue;
        const both = (drawn[i]?.load.rps ?? 0) + (drawn[i + 1]?.load.rps ?? 0);
        expect(row.loadIfLost?.rps).toBeCloseTo(both);
      }
    }),
  );
});

test('loads of several routers add up, home by home', () => {
  const a = { home: 'cell-a', rps: 1, concurrency: 2, tunnels: 3 };
  const b = { home: 'cell-b', rps: 10, concurrency: 0, tunnels: 0 };
  expect(loadsOver([[a, b], [a], []])).toEqual(
    new Map([
      ['cell-a', { rps: 2, concurrency: 4, tunnels: 6 }],
      ['cell-b', { rps: 10, concurrency: 0, tunnels: 0 }],
    ]),
  );
});

test('no router that told is unknown, one without load is none', () => {
  expect(loadsOver([])).toBeNull();
  expect(loadsOver([[]])).toEqual(new Map());
});
