// Random beats: what machines vote and confirm, alone and in rounds, in calm and in trouble.
import { array, constantFrom, integer, oneof, record, type Arbitrary } from 'fast-check';
import type { Vote } from '../../router/health/record.ts';
import type { Refusals } from '../../router/health/store.ts';
import { DOWN, SELF_DECLARED, UP as BARE, type Confirming } from './machine.ts';

export const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d', 'cell-e'];
export const ROUTERS = ['r1', 'r2', 'r10'];

type Votes = Record<string, Vote>;

export type Beaten = {
  /**
   * `restarted`: the machine comes back knowing nothing, as another process · `former`: the process before that one is still
   * there · `reply-lost`: the store took the beat, the machine never
   * learns what it said.
   */
  kind: 'beat' | 'restarted' | 'former' | 'reply-lost';
  router: string;
  votes: Votes;
  /** What it says of the handovers that it knows of. */
  confirming: Confirming;
  refused: Refusals[];
  afterMs: number;
};

/** With a synced standby of whatever home it may be the neighbour of, and with some of them or none. */
const UP: Vote = { opinion: 'up', standbys: CELLS };
const UNSYNCED: Vote[] = [BARE, { opinion: 'up', standbys: ['cell-a', 'cell-x'] }];

const FAILING = { opinion: 'down', evidence: 'failing', reason: 'gateway errors' } satisfies Vote;
const LAGGING: Vote = { ...UP, caughtUp: false };
const VOTES: Vote[] = [
  UP,
  UP,
  { ...UP, caughtUp: true },
  ...UNSYNCED,
  LAGGING,
  DOWN,
  DOWN,
  { ...DOWN, reason: 'timed out' },
  FAILING,
  { ...FAILING, suspect: 'release' },
  { ...DOWN, suspect: 'release' },
  SELF_DECLARED,
];

const common = constantFrom<Vote>(UP, UP, UP, DOWN, DOWN, LAGGING, SELF_DECLARED, BARE);
/** All cells, and some of them. */
const votesOfAll = record(Object.fromEntries(CELLS.map((cell) => [cell, common])));
const votesOfSome = array(record({ cell: constantFrom(...CELLS), vote: constantFrom(...VOTES) }), {
  maxLength: 8,
}).map((pairs) => Object.fromEntries(pairs.map((one): [string, Vote] => [one.cell, one.vote])));
const allUp: Votes = Object.fromEntries(CELLS.map((cell) => [cell, UP]));

const confirming = constantFrom<Confirming>(
  ...Array.from({ length: 8 }, () => 'ready' as const),
  'held',
  'ready-alone',
  'nothing',
  'stale',
);

/** Mostly whole rounds in which the machines agree: else hardly any majority ever forms. */
export const beat: Arbitrary<Beaten> = record({
  kind: constantFrom<Beaten['kind']>('beat', 'beat', 'beat', 'beat', 'restarted', 'former', 'reply-lost'),
  router: constantFrom(...ROUTERS),
  votes: oneof<Arbitrary<Votes>[]>(votesOfAll, votesOfAll, votesOfSome),
  confirming,
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

export const round: Arbitrary<Beaten[]> = record({
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

/** All machines beat in turn, each cell is up but for those that `votes` says otherwise of. */
function orderly(votes: Votes, said: readonly Confirming[], everyMs: number): Beaten[] {
  return ROUTERS.map((router, i) => ({
    kind: 'beat',
    router,
    votes: { ...allUp, ...votes },
    confirming: said[i] ?? 'ready',
    refused: [],
    afterMs: i === 0 ? everyMs : 10,
  }));
}

const mostlyAll = oneof(
  { weight: 6, arbitrary: constantFrom<Confirming[]>([]) },
  { weight: 1, arbitrary: array(confirming, { minLength: 3, maxLength: 3 }) },
  { weight: 1, arbitrary: confirming.map((one) => [one, one, one]) },
);

/** Rounds in which most goes well: handovers and steps come to their end in these. */
export const calm: Arbitrary<Beaten[]> = array(
  record({ said: mostlyAll, everyMs: constantFrom(20, 100, 300, 300, 600, 900, 1_200) }),
  { minLength: 1, maxLength: 6 },
).map((rounds) => rounds.flatMap(({ said, everyMs }) => orderly({}, said, everyMs)));

/** One cell, at times two, is not well for one to three rounds. */
export const trouble: Arbitrary<Beaten[]> = record({
  cells: array(constantFrom(...CELLS.slice(0, 3)), { minLength: 1, maxLength: 2 }),
  vote: constantFrom<Vote>(DOWN, DOWN, DOWN, SELF_DECLARED, LAGGING, LAGGING, ...UNSYNCED),
  rounds: integer({ min: 1, max: 3 }),
  everyMs: constantFrom(20, 300, 900),
}).map(({ cells, vote, rounds, everyMs }) => {
  const votes = Object.fromEntries(cells.map((cell) => [cell, vote]));
  return Array.from({ length: rounds }, () => orderly(votes, [], everyMs)).flat();
});

/** All cells are up, and none has caught up with what its neighbour wrote. */
export const lagging: Beaten[] = orderly(Object.fromEntries(CELLS.map((cell) => [cell, LAGGING])), [], 300);

/** All cells are up, and none has a synced standby. */
export const unsynced: Beaten[] = orderly(Object.fromEntries(CELLS.map((cell) => [cell, BARE])), [], 300);

/** All machines hear of a handover, and confirm it. */
export const quick: Beaten[] = [20, 100].flatMap((everyMs) => orderly({}, [], everyMs));

/** All machines hear of what has begun, and the cells have not taken it yet. */
export const heard: Beaten[] = orderly({}, ['held', 'held', 'held'], 20);

/** Nobody confirms anything until what has begun is undone; and then all do, until it was tried again. */
export const undoneOnce: Beaten[] = [
  ...[900, 900, 900, 900, 900].flatMap((everyMs) => orderly({}, ['nothing', 'nothing', 'nothing'], everyMs)),
  ...[1_200, 1_200, 1_200, 1_200].flatMap((everyMs) => orderly({}, [], everyMs)),
];

/** All machines find the first cell down, and all others up. */
export const firstDown: Beaten[] = orderly({ [CELLS[0] ?? '']: DOWN }, [], 300);

/** Long enough for the store to have heard all machines. */
export const start: Beaten[] = [0, 1_000, 1_000, 1_000].flatMap((everyMs) => orderly({}, [], everyMs));
