// Every fault of a history is named with its place, all at once.
import { expect, test } from 'vitest';
import {
  buildPlacement,
  historyFaults,
  type PlacementInput,
} from '../../../../router/placement/placement.ts';

type Cell = { zone: string | null; weight: number; neighbour: string | null };
type Changes = Partial<Omit<PlacementInput, 'cells'>> & { cells?: Record<string, Partial<Cell>> };

const ALL = { add: ['a', 'b', 'c'] };

/** Cells a, b and c, members from the first generation on, with some changes. */
function input({ cells = {}, ...changes }: Changes = {}): PlacementInput {
  const declared = Object.entries({ a: {}, b: {}, c: {}, ...cells }).map(
    ([name, cell]) => [name, { zone: null, weight: 1, neighbour: null, ...cell }] as const,
  );
  const defaults = { generations: [ALL], pins: new Map(), allowSharedNeighbour: false };
  return { cells: new Map(declared), ...defaults, ...changes };
}

function paths(changes: Changes): string[] {
  return historyFaults(input(changes)).map(({ path }) => path);
}

test('a history without faults has none', () => {
  const generations = [ALL, { remove: ['b'] }, { add: ['b'] }, { reweight: { a: 2.125 } }];
  expect(historyFaults(input({ generations }))).toEqual([]);
});

test('a fault says what is wrong and what is allowed', () => {
  expect(historyFaults(input({ generations: [ALL, { add: ['x'] }] }))).toEqual([
    { path: 'generations.1.add.0', problem: 'x is not declared (allowed: a cell declared under cells)' },
  ]);
});

const FAULTS: [what: string, changes: Changes, paths: string[]][] = [
  ['no generation at all', { generations: [] }, ['generations']],
  ['a first generation that adds nothing', { generations: [{}, ALL] }, ['generations.0']],
  ['an empty generation', { generations: [ALL, { settled: true }] }, ['generations.1']],
  ['adding an undeclared cell', { generations: [{ add: ['a', 'x'] }] }, ['generations.0.add.1']],
  ['adding a member', { generations: [ALL, { add: ['b'] }] }, ['generations.1.add.0']],
  ['adding a cell twice', { generations: [{ add: ['a', 'b', 'a'] }] }, ['generations.0.add.2']],
  ['removing an undeclared cell', { generations: [ALL, { remove: ['x'] }] }, ['generations.1.remove.0']],
  [
    'removing a cell that is no member',
    { generations: [{ add: ['a'] }, { remove: ['b'] }] },
    ['generations.1.remove.0'],
  ],
  ['removing a cell twice', { generations: [ALL, { remove: ['a', 'a'] }] }, ['generations.1.remove.1']],
  [
    'adding what the same generation removes',
    { generations: [ALL, { add: ['a'], remove: ['a'] }] },
    ['generations.1.add.0'],
  ],
  ['leaving no cell', { generations: [ALL, { remove: ['a', 'b', 'c'] }] }, ['generations.1']],
  [
    're-weighting an undeclared cell',
    { generations: [ALL, { reweight: { x: 1 } }] },
    ['generations.1.reweight.x'],
  ],
  [
    're-weighting a cell that is no member yet',
    { generations: [{ add: ['a'] }, { add: ['b'], reweight: { b: 1 } }] },
    ['generations.1.reweight.b'],
  ],
  [
    're-weighting a cell that leaves',
    { generations: [ALL, { remove: ['b'], reweight: { b: 1 } }] },
    ['generations.1.reweight.b'],
  ],
  [
    're-weighting to zero, past the limit and with four decimals',
    { generations: [ALL, { reweight: { a: 0, b: 1_000.5, c: 0.0001 } }] },
    ['generations.1.reweight.a', 'generations.1.reweight.b', 'generations.1.reweight.c'],
  ],
  ['a cell with a negative weight', { cells: { a: { weight: -1 } } }, ['cells.a.weight']],
  ['a cell that is its own neighbour', { cells: { a: { neighbour: 'a' } } }, ['cells.a.neighbour']],
  ['an undeclared neighbour', { cells: { a: { neighbour: 'x' } } }, ['cells.a.neighbour']],
  ['a neighbour that never joined', { cells: { a: { neighbour: 'd' }, d: {} } }, ['cells.a.neighbour']],
  [
    'two cells with the same neighbour',
    { cells: { a: { neighbour: 'c' }, b: { neighbour: 'c' } } },
    ['cells.b.neighbour'],
  ],
  [
    'pairs that leave a cell only itself',
    { cells: { a: { neighbour: 'b' }, b: { neighbour: 'a' } } },
    ['cells.c.neighbour'],
  ],
  ['a pin to an undeclared cell', { pins: new Map([['t', { cell: 'x', settled: true }]]) }, ['pins.t']],
  [
    'a pin to a cell that left',
    { generations: [ALL, { remove: ['c'] }], pins: new Map([['t', { cell: 'c', settled: true }]]) },
    ['pins.t'],
  ],
];

test.for(FAULTS)('%s is a fault', ([, changes, places]) => {
  expect(paths(changes)).toEqual(places);
});

test('two cells may have the same neighbour with allowSharedNeighbour', () => {
  const cells = { a: { neighbour: 'c' }, b: { neighbour: 'c' } };
  expect(paths({ cells, allowSharedNeighbour: true })).toEqual([]);
});

test('a cell that left may name a neighbour that left, or that a member has too', () => {
  const cells = { a: { neighbour: 'b' }, b: { neighbour: 'd' }, d: {}, e: {}, c: { neighbour: 'd' } };
  const generations = [{ add: ['a', 'b', 'c', 'd', 'e'] }, { remove: ['a', 'b'] }];
  expect(paths({ cells, generations })).toEqual([]);
});

test('all faults come at once, in the order of the file', () => {
  const changes = {
    cells: { a: { neighbour: 'a' } },
    generations: [{ add: ['a', 'b', 'x'] }, {}, { remove: ['c'] }],
    pins: new Map([['t', { cell: 'y', settled: false }]]),
  };
  expect(paths(changes)).toEqual([
    'cells.a.neighbour',
    'generations.0.add.2',
    'generations.1',
    'generations.2.remove.0',
    'pins.t',
  ]);
});

test('a history with faults builds no placement', () => {
  expect(() => buildPlacement(input({ generations: [] }))).toThrow(/^generations: /);
});
