// Random histories of deaths, accusations and operators, for what two stores make of them.
import { array, boolean, constantFrom, oneof, record, type Arbitrary } from 'fast-check';
import type { Vote } from '../../router/health/record.ts';
import type { Accusations, Death, Failing } from '../../router/health/verdicts/suspects.ts';
import { DOWN, UP } from './machine.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c'];
const ROUTERS = ['r1', 'r2', 'r10'];
/** Bytes and UTF-16 do not sort the last two alike. */
const TENANTS = ['acme', 'bolt', '7', '\u{FF5E}', '\u{1F600}'];
const ILL = { opinion: 'down', evidence: 'failing', reason: 'gateway errors' } satisfies Vote;

export type QuarantineTurn =
  | { kind: 'beat'; router: string; votes: Record<string, Vote>; accusations: Accusations; afterMs: number }
  | { kind: 'emptied' }
  | { kind: 'quarantine'; tenant: string; home: string; expiresInMs: number }
  | { kind: 'unquarantine'; tenant: string };

const tenant = constantFrom(...TENANTS);
/** Mostly the one that is often found out: else hardly anybody is let in again. */
const asked = constantFrom('acme', 'acme', 'acme', 'acme', ...TENANTS);
const cell = constantFrom(...CELLS);
/** Mostly of the first home: else hardly anybody is ever in flight twice. */
const home = constantFrom('cell-a', 'cell-a', 'cell-a', 'cell-b');
const many = constantFrom(false, false, false, false, false, true);

const inFlight = record({ home, tenant, again: boolean() });
/** Often one and the same alone: else nobody is ever found out. */
const alone = record({ home: constantFrom('cell-a'), tenant: constantFrom('acme'), again: boolean() });

const death: Arbitrary<Death> = record({
  cell: constantFrom('cell-a', 'cell-b'),
  many,
  tenants: oneof(array(alone, { minLength: 1, maxLength: 1 }), array(inFlight, { maxLength: 4 })),
});
const failing: Arbitrary<Failing> = record({ cell, home, tenant });
const accusations = record({
  deaths: array(death, { maxLength: 2 }),
  failing: oneof({ weight: 5, arbitrary: constantFrom<Failing[]>([]) }, array(failing, { maxLength: 2 })),
});

const vote = constantFrom<Vote>(UP, DOWN, DOWN, ILL);
const beat: Arbitrary<QuarantineTurn> = record({
  kind: constantFrom<'beat'>('beat'),
  router: constantFrom(...ROUTERS),
  votes: record({ 'cell-a': vote, 'cell-b': vote, 'cell-c': constantFrom<Vote>(UP) }),
  accusations,
  afterMs: constantFrom(-2_000, 0, 50, 300, 900, 1_000, 1_300, 6_000, 300_000, 601_000),
});

/** All machines find the same, one after the other; the first one tells of the dead. */
const round: Arbitrary<QuarantineTurn[]> = beat.map((of) =>
  of.kind !== 'beat'
    ? [of]
    : ROUTERS.map((router, i) =>
        i === 0
          ? { ...of, router }
          : { ...of, router, afterMs: 20, accusations: { deaths: [], failing: [] } },
      ),
);

const rare: Arbitrary<QuarantineTurn> = oneof(
  constantFrom<QuarantineTurn>({ kind: 'emptied' }),
  record({
    kind: constantFrom<'quarantine'>('quarantine'),
    tenant: asked,
    home: cell,
    expiresInMs: constantFrom(0, 1_000, 600_000),
  }),
  record({ kind: constantFrom<'unquarantine'>('unquarantine'), tenant: asked }),
);

export const quarantineHistories: Arbitrary<QuarantineTurn[]> = array(
  oneof(
    { weight: 6, arbitrary: round },
    { weight: 3, arbitrary: beat.map((one) => [one]) },
    { weight: 2, arbitrary: rare.map((one) => [one]) },
  ),
  { minLength: 5, maxLength: 20, size: 'max' },
).map((parts) => parts.flat());
