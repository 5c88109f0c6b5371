// Random histories of a store and its machines: votes, confirmations, clock steps, restarts, lost messages and memory, operators.
import { array, constantFrom, oneof, record, tuple, type Arbitrary } from 'fast-check';
import type { HomeRule } from '../../router/health/record.ts';
import type { MachineSetting } from './machine.ts';
import { beat, calm, CELLS, round, start, trouble, type Beaten } from './verdict-beats.ts';
import { newFleet, operated, rare, type Operated } from './verdict-operators.ts';

export type Step = Beaten | Operated;

/** `fleets`: the file that all machines begin with, and another one, with other neighbours. */
export type History = { fleets: HomeRule[][]; setting: MachineSetting; steps: Step[] };

const parts: Arbitrary<Step[]> = oneof<{ weight: number; arbitrary: Arbitrary<Step[]> }[]>(
  { weight: 3, arbitrary: round },
  { weight: 3, arbitrary: beat.map((one) => [one]) },
  { weight: 6, arbitrary: calm },
  { weight: 3, arbitrary: tuple(trouble, calm).map((both) => both.flat()) },
  { weight: 4, arbitrary: operated.map((one) => [one]) },
  { weight: 4, arbitrary: tuple(operated, calm).map(([one, after]) => [one, ...after]) },
  { weight: 1, arbitrary: rare },
  {
    weight: 1,
    arbitrary: tuple(newFleet, calm, calm).map(([[read = [], used = []], between, after]) => {
      return [...read, ...between, ...used, ...after];
    }),
  },
);

const steps = record({
  begun: constantFrom(start, start, start, []),
  parts: array(parts, { minLength: 6, maxLength: 18, size: 'max' }),
}).map(({ begun, parts: all }) => [...begun, ...all.flat()]);

const fleets: Arbitrary<HomeRule[][]> = record({
  cells: constantFrom(1, 2, 3, 3, 4, 5),
  paired: constantFrom(true, true, true, false),
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

/** Operators know which homes there are: others' names come down to those of the fleet. */
function within(step: Step, cells: number): Step {
  const known = (name: string): string => CELLS[CELLS.indexOf(name) % cells] ?? name;
  if (step.kind !== 'change' && step.kind !== 'fail-over') return step;
  const home = known(step.home);
  if (step.kind === 'fail-over') return { ...step, home };
  const { wish } = step;
  return { ...step, home, wish: wish.kind === 'cut-over' ? { ...wish, to: known(wish.to) } : wish };
}

export const histories: Arbitrary<History> = record({
  fleets,
  setting: record({
    minDwellMs: constantFrom(0, 300, 900, 1_800),
    neighbourLostMs: constantFrom(0, 1_000, 30_000),
    maxFailedOver: constantFrom(0, 0.34, 0.5, 1),
    handoverMs: constantFrom(500, 2_000, 2_000),
  }),
  steps,
}).map((history) => {
  const cells = history.fleets[0]?.length ?? 1;
  return { ...history, steps: history.steps.map((step) => within(step, cells)) };
});
