// Random wishes of operators, and what else happens to a fleet beside its beats.
import { array, constantFrom, oneof, record, subarray, type Arbitrary } from 'fast-check';
import type { Change, Wish } from '../../router/health/store.ts';
import { ROUTERS } from './verdict-beats.ts';

/** A handful of tenants, requests without one among them: what records give them is looked at. */
export const TENANTS = ['', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'];

/** Those of them that have a place of their own in the fleet file, not yet settled: they are cut over by name. */
export const PLACED = ['t6', 't7', 't8'];

type Wished = { kind: 'change' } & Pick<
  Change,
  'home' | 'wish' | 'cause' | 'expiresInMs' | 'handoverMs' | 'override'
>;

export type Operated =
  | Wished
  | { kind: 'leave'; router: string }
  /** The store forgets everything. */
  | { kind: 'emptied' }
  /** A machine brings the store what cells have shown it: records without what is the store's own. */
  | { kind: 'adopted'; router: string }
  | { kind: 'fail-over'; home: string; expiresInMs: number; override: string[] }
  /** The machine has another fleet file, and mostly it is not in force at first. */
  | { kind: 'load'; router: string; fleet: number; inForce: boolean };

/** Mostly the same few, so that what happens to a home happens to one that something happened to before. */
export const home = constantFrom(
  'cell-a',
  'cell-a',
  'cell-a',
  'cell-b',
  'cell-b',
  'cell-c',
  'cell-d',
  'cell-e',
);
const override = constantFrom<string[]>(
  [],
  [],
  ['target-up'],
  ['target-up', 'standby-synced'],
  ['target-up', 'target-not-drained', 'standby-synced', 'caught-up'],
);

const share: Arbitrary<Wish> = record({
  kind: constantFrom('share' as const),
  percent: constantFrom(0, 0, 10, 30, 50, 50, 70, 100, 100, 100),
});
/** `home`, `neighbour` and `third` become names of cells when it is known which there are. */
export const pin: Arbitrary<Wish> = record({
  kind: constantFrom('pin' as const),
  tenant: constantFrom('', 't1', 't2'),
  cell: constantFrom(null, 'home', 'neighbour', 'neighbour', 'neighbour', 'third'),
});
const RANGES: [number, number][][] = [
  [],
  [],
  [[0, 65_535]],
  [[0, 16_383]],
  [[16_384, 49_151]],
  [
    [8_192, 32_767],
    [49_152, 65_535],
  ],
  Array.from({ length: 1_001 }, (_, i) => [2 * i, 2 * i]),
];
export const cutOver: Arbitrary<Wish> = record({
  kind: constantFrom('cut-over' as const),
  to: home,
  buckets: constantFrom(...RANGES),
  tenants: subarray(PLACED, { maxLength: 2 }),
  generation: constantFrom(2, 3),
});

export const wished: Arbitrary<Wished> = record({
  kind: constantFrom('change' as const),
  home,
  wish: oneof(
    { weight: 4, arbitrary: share },
    { weight: 4, arbitrary: pin },
    { weight: 2, arbitrary: cutOver },
  ),
  cause: constantFrom<Change['cause']>('operator', 'operator', 'operator', 'rollout', 'move'),
  expiresInMs: constantFrom(0, 500, 1_500, 3_000, 60_000),
  handoverMs: constantFrom(300, 2_000, 2_000, 4_000),
  override,
});
const forced: Arbitrary<Operated> = record({
  kind: constantFrom('fail-over' as const),
  home: oneof({ weight: 6, arbitrary: home }, { weight: 1, arbitrary: constantFrom('cell-x') }),
  expiresInMs: constantFrom(0, 500, 2_000),
  override,
});

export const operated: Arbitrary<Operated> = oneof(
  { weight: 5, arbitrary: wished },
  { weight: 2, arbitrary: forced },
);

/** A cell that others lean on is to be empty for long. */
export const emptied: Arbitrary<Operated> = wished.map((like) => ({
  ...like,
  home: 'cell-b',
  wish: { kind: 'share', percent: 100 },
  expiresInMs: 60_000,
  handoverMs: 4_000,
}));

/** Whatever is away is to come home. */
export const restored: Arbitrary<Operated> = wished.map((like) => ({
  ...like,
  wish: { kind: 'share', percent: 0 },
  override: [],
}));

/** Pins that make no difference while nobody is away, and expire together. */
export const manyPins: Arbitrary<Operated[]> = record({
  tenants: subarray(TENANTS, { minLength: 2, maxLength: 4 }),
  like: wished,
}).map(({ tenants, like }) =>
  tenants.toReversed().map((tenant) => ({ ...like, wish: { kind: 'pin', tenant, cell: 'home' } })),
);

/** A wish, and one that takes it back, wholly or in part. */
export const thereAndBack: Arbitrary<[Operated, Operated]> = record({
  there: wished,
  percent: constantFrom(0, 0, 0, 20, 100),
  expiresInMs: constantFrom(3_000, 60_000),
}).map(({ there, percent, expiresInMs }) => [
  { ...there, expiresInMs, handoverMs: 4_000 },
  back({ ...there, override: [] }, percent),
]);

function back(wish: Wished, percent: number): Wished {
  const { home: from, wish: there } = wish;
  if (there.kind === 'share') return { ...wish, wish: { kind: 'share', percent } };
  if (there.kind === 'pin') return { ...wish, wish: { ...there, cell: null } };
  return { ...wish, home: there.to, wish: { ...there, to: from } };
}

const leaving = record({ kind: constantFrom('leave' as const), router: constantFrom(...ROUTERS) });

/** The store forgets everything but what cells have shown to a machine. */
export const forgotten: Arbitrary<Operated[]> = constantFrom(...ROUTERS).map((router) => [
  { kind: 'emptied' },
  { kind: 'adopted', router },
]);

/** What loses or restores memory, or takes a machine away. */
export const rare: Arbitrary<Operated[]> = oneof(
  leaving.map((one) => [one]),
  constantFrom<Operated[]>([{ kind: 'emptied' }]),
  forgotten,
);

/** Machines read another fleet file one after another; most of them, or all, bring it in force. */
export const newFleet: Arbitrary<Operated[][]> = record({
  fleet: constantFrom(0, 1),
  loading: subarray(ROUTERS, { minLength: 2 }),
  all: constantFrom(true, true, false),
  inForce: array(constantFrom(true, true, true, false), { minLength: 3, maxLength: 3 }),
}).map(({ fleet, loading, all, inForce }) => {
  const routers = all ? ROUTERS : loading;
  return [
    routers.map((router) => ({ kind: 'load', router, fleet, inForce: false })),
    routers.map((router, i) => ({ kind: 'load', router, fleet, inForce: inForce[i] ?? true })),
  ];
});
