// Random histories of a store and its machines: votes, clock steps, restarts, lost messages, lost memory, operators.
import { array, constantFrom, oneof, record, type Arbitrary } from 'fast-check';
import type { HomeRule, Vote } from '../../router/health/record.ts';
import type { Refusals } from '../../router/health/store.ts';
import { DOWN, SELF_DECLARED, UP, type MachineSetting } from './machine.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d', 'cell-e'];
const ROUTERS = ['r1', 'r2', 'r10'];
const FAILING = { opinion: 'down', evidence: 'failing', reason: 'gateway errors' } satisfies Vote;
const VOTES: Vote[] = [
  UP,
  UP,
  { opinion: 'up', caughtUp: true },
  { opinion: 'up', caughtUp: false },
  DOWN,
  DOWN,
  { ...DOWN, reason: 'timed out' },
  FAILING,
  { ...FAILING, suspect: 'release' },
  { ...DOWN, suspect: 'release' },
  SELF_DECLARED,
];

type Beaten = {
  /**
   * `restarted`: the machine comes back knowing nothing · `reply-lost`: the store took the beat, the machine never
   * learns what it said.
   */
  kind: 'beat' | 'restarted' | 'reply-lost';
  router: string;
  votes: Record<string, Vote>;
  refused: Refusals[];
  afterMs: number;
};

export type Step =
  | Beaten
  | { kind: 'leave'; router: string }
  | { kind: 'emptied' }
  | { kind: 'fail-over'; home: string; expiresInMs: number; override: string[] };

export type History = { homes: HomeRule[]; setting: MachineSetting; steps: Step[] };

const router = constantFrom(...ROUTERS);
const vote = constantFrom(...VOTES);
const LAGGING: Vote = { opinion: 'up', caughtUp: false };
const common = constantFrom<Vote>(UP, UP, UP, DOWN, DOWN, LAGGING, SELF_DECLARED);
/** All cells, and some of them. */
const votesOfAll = record(Object.fromEntries(CELLS.map((cell) => [cell, common])));
const votesOfSome = array(record({ cell: constantFrom(...CELLS), vote }), { maxLength: 8 }).map((pairs) =>
  Object.fromEntries(pairs.map((one): [string, Vote] => [one.cell, one.vote])),
);

/** Mostly whole rounds in which the machines agree: else hardly any majority ever forms. */
const beat: Arbitrary<Beaten> = record({
  kind: constantFrom<Beaten['kind']>('beat', 'beat', 'beat', 'beat', 'restarted', 'reply-lost'),
  router,
  votes: oneof<Arbitrary<Record<string, Vote>>[]>(votesOfAll, votesOfAll, votesOfSome),
  refused: array(
    record({
      home: constantFrom(...CELLS),
      epoch: constantFrom(1, 2, 3),
      marks: array(constantFrom('t1:1', 't2:1', 't1:2', 't3:9'), { maxLength: 3 }),
    }),
    { maxLength: 1 },
  ),
  afterMs: constantFrom(-5_000, -200, 0, 1, 100, 100, 300, 300, 900, 900, 1_600, 3_000),
});

const round: Arbitrary<Step[]> = record({
  of: beat,
  gapMs: constantFrom(0, 200, 900),
  by: constantFrom(ROUTERS, ROUTERS, ROUTERS.slice(0, 2)),
  other: votesOfSome,
  others: constantFrom(0, 0, 1),
}).map(({ of, gapMs, by, other, others }) =>
  of.kind === 'beat'
    ? by.map((id, i) => ({
        ...of,
        router: id,
        votes: i < others ? { ...of.votes, ...other } : of.votes,
        afterMs: i === 0 ? of.afterMs : gapMs,
      }))
    : [of],
);

const rare: Arbitrary<Step> = oneof(
  record({ kind: constantFrom<'leave'>('leave'), router }),
  constantFrom<Step>({ kind: 'emptied' }),
  record({
    kind: constantFrom<'fail-over'>('fail-over'),
    home: constantFrom(...CELLS, 'cell-x'),
    expiresInMs: constantFrom(0, 500, 2_000),
    override: constantFrom<string[]>([], ['target-up'], ['target-up', 'target-not-drained']),
  }),
);

const steps = array(
  oneof(
    { weight: 6, arbitrary: round },
    { weight: 6, arbitrary: beat.map((one) => [one]) },
    { weight: 2, arbitrary: rare.map((one) => [one]) },
  ),
  { minLength: 8, maxLength: 25, size: 'max' },
).map((parts) => parts.flat());

const fleet: Arbitrary<HomeRule[]> = record({
  cells: constantFrom(1, 2, 3, 4, 5),
  paired: constantFrom(true, true, true, false),
  others: array(constantFrom(...CELLS, null), { minLength: 5, maxLength: 5 }),
  buckets: oneof(
    constantFrom(Array.from({ length: 5 }, () => 100)),
    array(constantFrom(10, 100), { minLength: 5, maxLength: 5 }),
  ),
  zones: array(constantFrom(null, 'az-1', 'az-1', 'az-2'), { minLength: 5, maxLength: 5 }),
}).map(({ cells, paired, others, buckets, zones }) =>
  CELLS.slice(0, cells).map((home, i) => ({
    home,
    neighbour: (paired ? CELLS[(i + 1) % cells] : others[i]) ?? null,
    buckets: buckets[i] ?? 1,
    zone: zones[i] ?? null,
  })),
);

export const histories: Arbitrary<History> = record({
  homes: fleet,
  setting: record({
    minDwellMs: constantFrom(0, 300, 900, 1_800),
    neighbourLostMs: constantFrom(0, 1_000, 30_000),
    maxFailedOver: constantFrom(0, 0.34, 0.5, 1),
  }),
  steps,
});
