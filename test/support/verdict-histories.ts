// Random histories of a store and its machines: votes, confirmations, clock steps, restarts, lost messages and memory, operators.
import { array, constant, constantFrom, oneof, record, tuple, type Arbitrary } from 'fast-check';
import type { HomeRule } from '../../router/health/record.ts';
import type { MachineSetting } from './machine.ts';
import {
  beat,
  calm,
  CELLS,
  firstDown,
  heard,
  lagging,
  quick,
  round,
  start,
  trouble,
  undoneOnce,
  unsynced,
  type Beaten,
} from './verdict-beats.ts';
import { anotherFile, awayThenNewFile, firstHome, pinnedOrCutOver, twoPins } from './verdict-arranged.ts';
import {
  emptied,
  forgotten,
  manyPins,
  newFleet,
  operated,
  rare,
  restored,
  thereAndBack,
  type Operated,
} from './verdict-operators.ts';

export type Step = Beaten | Operated;

/** `fleets`: the file that all machines begin with, and another one, with other neighbours. */
export type History = { fleets: HomeRule[][]; setting: MachineSetting; steps: Step[] };

const parts: Arbitrary<Step[]> = oneof<{ weight: number; arbitrary: Arbitrary<Step[]> }[]>(
  { weight: 3, arbitrary: round },
  { weight: 3, arbitrary: beat.map((one) => [one]) },
  { weight: 4, arbitrary: calm },
  { weight: 3, arbitrary: tuple(trouble, calm).map((both) => both.flat()) },
  { weight: 4, arbitrary: operated.map((one) => [one]) },
  { weight: 4, arbitrary: tuple(operated, calm).map(([one, after]) => [one, ...after]) },
  {
    weight: 2,
    arbitrary: tuple(trouble, oneof(operated, restored), calm).map(([bad, one, after]) => [
      ...bad,
      one,
      ...after,
    ]),
  },
  {
    weight: 4,
    arbitrary: tuple(thereAndBack, calm, oneof(trouble, calm, constant(lagging)), calm).map(
      ([[there, back], ...rest]) => {
        const [first, between, after] = rest;
        return [there, ...first, ...between, back, ...after];
      },
    ),
  },
  {
    weight: 1,
    arbitrary: tuple(emptied, calm, operated, calm).map(([one, between, other, after]) => {
      return [one, ...between, other, ...after];
    }),
  },
  { weight: 1, arbitrary: tuple(manyPins, calm).map((both) => both.flat()) },
  {
    weight: 1,
    arbitrary: twoPins.map(([one, other]) => [one, ...quick, other, ...quick, ...undoneOnce]),
  },
  {
    weight: 1,
    arbitrary: tuple(pinnedOrCutOver, forgotten, calm).map(([one, lost, after]) => {
      return [one, ...heard, ...lost, ...after];
    }),
  },
  {
    weight: 1,
    arbitrary: oneof(restored, operated).map((one) => {
      return [...firstDown, ...quick, firstHome, ...quick, one, ...firstDown];
    }),
  },
  { weight: 1, arbitrary: rare },
  // What is lost while a handover is under way.
  {
    weight: 2,
    arbitrary: tuple(operated, round, rare, calm).map(([one, first, lost, after]) => [
      one,
      ...first,
      ...lost,
      ...after,
    ]),
  },
  {
    weight: 1,
    arbitrary: tuple(newFleet, calm, constantFrom([], unsynced), calm).map(
      ([[read = [], used = []], between, first, after]) => [...read, ...between, ...used, ...first, ...after],
    ),
  },
);

/** The first cell, which never changed, dies while its new neighbour has the second one's tenants. */
const newFile: Step[] = [...start, ...awayThenNewFile, ...firstDown];

/** The new neighbours have no standby yet. */
const newFileUnsynced: Step[] = [...start, ...anotherFile, ...unsynced];

const steps = record({
  begun: constantFrom<Step[][]>(start, start, start, start, start, start, [], [], newFile, newFileUnsynced),
  parts: array(parts, { minLength: 5, maxLength: 12, size: 'max' }),
}).map(({ begun, parts: all }) => [...begun, ...all.flat()]);

const fleets: Arbitrary<HomeRule[][]> = record({
  cells: constantFrom(1, 2, 3, 3, 3, 4, 4, 5),
  paired: constantFrom(true, true, true, true, true, false),
  others: array(constantFrom(...CELLS, null), { minLength: 5, maxLength: 5 }),
  apart: constantFrom(1, 2, 2),
  buckets: oneof(
    constantFrom(Array.from({ length: 5 }, () => 100)),
    array(constantFrom(10, 100), { minLength: 5, maxLength: 5 }),
  ),
  zones: array(constantFrom(null, 'az-1', 'az-1', 'az-2'), { minLength: 5, maxLength: 5 }),
}).map(({ cells, paired, others, apart, buckets, zones }) =>
  [1, apart].map((next, which) =>
    CELLS.slice(0, cells).map((home, i) => ({
      home,
      neighbour: (paired ? CELLS[(i + next) % cells] : others[(i + which) % 5]) ?? null,
      buckets: buckets[i] ?? 1,
      zone: zones[i] ?? null,
    })),
  ),
);

/** Operators know which homes there are, and mostly who stands in for whom. */
function known(step: Step, homes: readonly HomeRule[]): Step {
  const among = (name: string): string => CELLS[CELLS.indexOf(name) % homes.length] ?? name;
  if (step.kind !== 'change' && step.kind !== 'fail-over') return step;
  const home = among(step.home);
  if (step.kind === 'fail-over') return { ...step, home };
  const { wish } = step;
  if (wish.kind === 'share') return { ...step, home };
  if (wish.kind === 'cut-over') return { ...step, home, wish: { ...wish, to: among(wish.to) } };
  const neighbour = homes.find((one) => one.home === home)?.neighbour ?? home;
  const third = CELLS.find((cell) => cell !== home && cell !== neighbour) ?? home;
  const cells = new Map<string, string>(Object.entries({ home, neighbour, third }));
  return { ...step, home, wish: { ...wish, cell: cells.get(wish.cell ?? '') ?? null } };
}

export const histories: Arbitrary<History> = record({
  fleets,
  setting: record({
    minDwellMs: constantFrom(0, 300, 900, 1_800),
    neighbourLostMs: constantFrom(0, 1_000, 30_000),
    maxFailedOver: constantFrom(0, 0.34, 0.5, 1),
    handoverMs: constantFrom(500, 2_000, 2_000),
    requiresStandby: constantFrom(false, true),
  }),
  steps,
}).map((history) => {
  const [homes = []] = history.fleets;
  return { ...history, steps: history.steps.map((step) => known(step, homes)) };
});
