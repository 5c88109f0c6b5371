// Whose a tenant is: a cell and a router reckon it apart from each other, and must never differ.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRule, type Rule } from '../../../../cell-template/contract/rule.ts';
import { isServedAt, mayLose, servedBy, slotOf } from '../../../../cell-template/contract/served-by.ts';
import { isOwn } from '../../../../loadtest/stubs/fence.ts';
import { ruleOf } from '../../../support/rules.ts';
import * as routers from '../../../../router/health/verdicts/served-by.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c'];
const NAMED = ['acme', 'globex', 'ümläut', '', '__proto__', 'constructor', '日本'];

const tenant = fc.oneof(fc.constantFrom(...NAMED), fc.string({ unit: 'binary', maxLength: 20 }));
const share = fc.oneof(fc.constantFrom(0, 100, 12.5), fc.integer({ min: 0, max: 100 }));
const bucket = fc.integer({ min: 0, max: 65_535 });
const range = fc.tuple(bucket, bucket);
const pins = fc
  .array(
    fc.tuple(
      fc.constantFrom(...NAMED),
      fc.record({ cell: fc.constantFrom('cell-a', 'cell-b'), until: fc.nat() }),
    ),
    { maxLength: 3 },
  )
  .map((entries) => Object.fromEntries(entries));
const to = fc.constant('cell-c');
const moved = fc.array(
  fc.oneof(
    fc.record({ buckets: range, to, generation: fc.nat(5) }),
    fc.record({ tenant: fc.constantFrom(...NAMED), to }),
  ),
  { maxLength: 3 },
);
const changing = fc.option(
  fc.record({
    tenants: fc.array(fc.constantFrom(...NAMED), { maxLength: 2 }),
    buckets: fc.array(range, { maxLength: 2 }),
  }),
);
const rule = fc
  .record({
    neighbour: fc.constantFrom(null, 'cell-b', 'cell-b', 'cell-b'),
    phase: fc.constantFrom('open' as const, 'closing' as const),
    epoch: fc.integer({ min: 1, max: 9 }),
    share,
    shareBefore: share,
    operation: fc.option(fc.maxSafeInteger()),
    pins,
    moved,
    changing,
    isAway: fc.boolean(),
  })
  .map(({ isAway, ...fields }) =>
    ruleOf('cell-a', { ...fields, target: isAway ? (fields.neighbour ?? 'cell-a') : 'cell-a' }),
  );

/** As the cell has it: over the wire. */
function brought(sent: object): Rule {
  const read = readRule(JSON.parse(JSON.stringify(sent)));
  if (read === null) throw new Error(`not read: ${JSON.stringify(sent)}`);
  return read;
}

test('a cell gives each tenant the cell that routers give it', () => {
  fc.assert(
    fc.property(rule, tenant, (sent, tenant) => {
      expect(servedBy(brought(sent), tenant)).toBe(routers.servedBy(sent, tenant));
    }),
    { numRuns: 2_000 },
  );
});

test('a cell refuses what was moved where it is told to', () => {
  fc.assert(
    fc.property(
      rule,
      tenant,
      fc.constantFrom(...CELLS),
      fc.integer({ min: 0, max: 10 }),
      (sent, tenant, cell, epoch) => {
        expect(isServedAt(cell, brought(sent), tenant, epoch)).toBe(isOwn(sent, cell, tenant, epoch));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('slots are reckoned alike, whatever the operation and the name', () => {
  fc.assert(
    fc.property(tenant, fc.maxSafeInteger(), (tenant, operation) => {
      expect(slotOf(tenant, operation)).toBe(routers.slotOf(tenant, operation));
    }),
  );
});

test('a cell that gains by the share loses nobody; by anything else it may', () => {
  const growing = ruleOf('cell-a', { phase: 'closing', share: 30, shareBefore: 10, operation: 7 });
  const shrinking = { ...growing, share: 10, shareBefore: 30 };
  const pinning = { ...growing, share: 10, changing: { tenants: ['acme'], buckets: [] } };
  const losers = [growing, shrinking, pinning].map((sent) =>
    ['cell-a', 'cell-b'].filter((cell) => mayLose(cell, brought(sent))),
  );
  expect(losers).toEqual([['cell-a'], ['cell-b'], ['cell-a', 'cell-b']]);
});

test.each<[string, object]>([
  ['no epoch', { epoch: null }],
  ['an epoch that nothing could go beyond', { epoch: 2 ** 53 }],
  ['a third cell that serves', { target: 'cell-c' }],
  ['more than everybody away', { share: 101 }],
  ['a bucket that there is not', { changing: { tenants: [], buckets: [[0, 65_536]] } }],
  ['pins in a list', { pins: [] }],
])('%s is not a rule', (_what, fault) => {
  expect(readRule({ ...ruleOf('cell-a'), ...fault })).toBeNull();
});

test('a rule is kept as it came, with what a newer release says in it', () => {
  const sent = { ...ruleOf('cell-a', { pins: { acme: { cell: 'cell-b', until: 9 } } }), colour: 'green' };
  expect(brought(sent)).toEqual(sent);
});

test('a rule of a release before handovers has nothing changing', () => {
  const { pins: _pins, moved: _moved, changing: _changing, ...early } = ruleOf('cell-a');
  expect(brought(early)).toMatchObject({ pins: {}, moved: [], changing: null });
});
