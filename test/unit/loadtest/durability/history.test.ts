// The checker of histories: what it calls stale, and what it lets pass.
import {
  array,
  assert,
  boolean,
  constantFrom,
  integer,
  nat,
  option,
  property,
  record,
  tuple,
} from 'fast-check';
import { expect, test } from 'vitest';
import { checkHistory, type Operation } from '../../../../loadtest/durability/history.ts';

const STATE = { quantity: 1, cancelled: false };

function operation(change: Partial<Operation>): Operation {
  const seen = { epoch: 1, version: 1, ...STATE };
  return { order: 'o', kind: 'read', startedMs: 0, endedMs: 1, span: 'cell-a', seen, ...change };
}

const at = (startedMs: number, endedMs = startedMs + 1) => ({ startedMs, endedMs });
const seen = (epoch: number, version: number, quantity = version) => ({
  seen: { epoch, version, quantity, cancelled: false },
});

const staleIn = (...operations: Operation[]): number =>
  checkHistory(operations).filter(({ what }) => what === 'stale read').length;

test('a read that began after an acknowledged write and does not see it is stale', () => {
  const write = operation({ kind: 'write', ...at(0), ...seen(1, 2) });
  expect(staleIn(write, operation({ ...at(5), ...seen(1, 1) }))).toBe(1);
  expect(staleIn(write, operation({ ...at(5), seen: null }))).toBe(1);
  expect(staleIn(write, operation({ ...at(5), ...seen(1, 2) }))).toBe(0);
  expect(staleIn(write, operation({ ...at(5), ...seen(2, 1) }))).toBe(0);
});

test('a read beside the write may see either', () => {
  const write = operation({ kind: 'write', ...at(0, 10), ...seen(1, 2) });
  expect(staleIn(write, operation({ ...at(5), ...seen(1, 1) }), operation({ ...at(6), ...seen(1, 2) }))).toBe(
    0,
  );
});

test('what one read has seen a later one must see, too', () => {
  expect(staleIn(operation({ ...at(0), ...seen(1, 3) }), operation({ ...at(5), ...seen(1, 2) }))).toBe(1);
});

test('another span may not have it yet, and another order has nothing to do with it', () => {
  const write = operation({ kind: 'write', ...at(0), ...seen(1, 2) });
  expect(staleIn(write, operation({ ...at(5), ...seen(1, 1), span: 'cell-b' }))).toBe(0);
  expect(staleIn(write, operation({ ...at(5), ...seen(1, 1), order: 'p' }))).toBe(0);
});

test('one version with two states is told, whoever answered', () => {
  const both = [
    operation({ ...at(0), ...seen(1, 2, 5) }),
    operation({ ...at(5), ...seen(1, 2, 6), span: 'x' }),
  ];
  expect(checkHistory(both).map(({ what }) => what)).toEqual(['two states of one version']);
});

/** A register that is one: each operation takes effect at a moment between its start and its end. */
const register = array(record({ write: boolean(), before: nat(20), after: nat(20), newEpoch: boolean() }), {
  minLength: 1,
  maxLength: 40,
}).map((steps) => {
  let now = { epoch: 1, version: 1, quantity: 1, cancelled: false };
  return steps.map(({ write, before, after, newEpoch }, index): Operation => {
    const { epoch, version, quantity } = now;
    if (write)
      now = { ...now, epoch: epoch + Number(newEpoch), version: version + 1, quantity: quantity + 1 };
    const momentMs = 10 * index;
    const times = { startedMs: momentMs - before, endedMs: momentMs + after };
    return operation({ kind: write ? 'write' : 'read', ...times, seen: now });
  });
});

test('no history of a real register is found wrong, in whatever order it is told', () => {
  assert(
    property(register, nat(), (history, turn) => {
      const cut = turn % history.length;
      expect(checkHistory([...history.slice(cut), ...history.slice(0, cut)])).toEqual([]);
    }),
  );
});

test('a read of an earlier version after the end of any such history is found', () => {
  assert(
    property(register, (history) => {
      const newest = Math.max(...history.map((one) => one.seen?.version ?? 0));
      const late = operation({ ...at(10_000), ...seen(1, newest - 1) });
      expect(checkHistory([...history, late]).some((one) => one.operation === late)).toBe(true);
    }),
  );
});

/** Every pair looked at: the same by the slow way. */
function slowlyStale(operations: readonly Operation[]): Set<Operation> {
  const number = ({ seen: found }: Operation): number =>
    found === null ? -1 : found.epoch * 1_000 + found.version;
  return new Set(
    operations.filter(
      (read) =>
        read.kind === 'read' &&
        operations.some(
          (other) =>
            other.order === read.order &&
            other.span === read.span &&
            other.endedMs < read.startedMs &&
            number(other) > number(read),
        ),
    ),
  );
}

const anyOperation = record({
  kind: constantFrom('read' as const, 'write' as const),
  startedMs: nat(50),
  tookMs: nat(10),
  order: constantFrom('o', 'p'),
  span: constantFrom('cell-a', 'cell-b'),
  version: option(tuple(integer({ min: 1, max: 3 }), integer({ min: 1, max: 4 }))),
}).map(({ kind, startedMs, tookMs, order, span, version }): Operation => {
  const found = version === null ? { seen: null } : seen(version[0], version[1], 1);
  return { kind, startedMs, endedMs: startedMs + tookMs, order, span, ...found };
});

test('it finds the stale reads that comparing every pair finds, and no others', () => {
  assert(
    property(array(anyOperation, { maxLength: 25 }), (operations) => {
      const found = checkHistory(operations).filter(({ what }) => what === 'stale read');
      expect(new Set(found.map((one) => one.operation))).toEqual(slowlyStale(operations));
    }),
  );
});
