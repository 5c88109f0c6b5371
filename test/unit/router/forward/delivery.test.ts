// What may be sent again: by method, by how often it was written, and by what its cell can bear.
import { expect, test } from 'vitest';
import { Delivery, RetryBudget, type DeliverySteps } from '../../../../router/forward/delivery.ts';
import type { BodySource } from '../../../../router/forward/body-source.ts';
import type { Exchange } from '../../../../router/exchange.ts';
import { EarlyBytes } from '../../../../router/forward/tunnel.ts';
import { headOf } from '../heads.ts';

function delivery(
  method = 'GET',
  body: Pick<BodySource, 'replayable'> | null = null,
  tunnel = false,
  left: DeliverySteps['left'] = () => undefined,
): Delivery {
  const exchange = { head: headOf({ method }) } as Exchange;
  const early = tunnel ? new EarlyBytes(null, Buffer.alloc(0)) : null;
  return new Delivery(exchange, 'cell-a', early, body as BodySource | null, {
    place: () => true,
    giveUp: () => undefined,
    left,
  });
}

test.each([
  ['GET', true, true],
  ['HEAD', true, true],
  ['OPTIONS', true, true],
  ['QUERY', true, true],
  ['PUT', true, false],
  ['DELETE', true, false],
  ['POST', false, false],
  ['PATCH', false, false],
  ['PROPFIND', false, false],
  ['get', false, false],
])('%s is idempotent: %s, and only reads: %s', (method, idempotent, reading) => {
  const one = delivery(method);
  expect([one.idempotent, one.reading]).toEqual([idempotent, reading]);
});

test('a WebSocket’s upgrade may be asked again, but it does more than read', () => {
  const one = delivery('GET', null, true);
  expect([one.idempotent, one.reading]).toEqual([true, false]);
});

test.each([
  [0, 0, true],
  [1, 1, true],
  [2, 2, false],
  [0, 2, true],
  [0, 3, false],
  [1, 3, false],
])('written %i times over %i connections it may be sent once more: %s', (writes, connections, expected) => {
  expect(Object.assign(delivery(), { writes, connections }).repeatable).toBe(expected);
});

test('a body that was not kept can not be sent again', () => {
  expect(delivery('PUT', { replayable: true }).repeatable).toBe(true);
  expect(delivery('PUT', { replayable: false }).repeatable).toBe(false);
});

test.each([
  [{}, false],
  [{ crowded: true }, true],
  [{ moving: true }, true],
  [{ neededEpoch: 3 }, true],
])('with %j its wait says nothing of a verdict: %s', (state, decided) => {
  expect(Object.assign(delivery(), state).decided).toBe(decided);
});

test('whoever waits until it is out is told once', () => {
  const one = delivery();
  let told = 0;
  one.whenOut = () => (told += 1);
  one.ended();
  one.out();
  expect([told, one.attempt]).toEqual([1, null]);
});

test('leaving twice is leaving once, and giving a retry back twice gives back one', () => {
  let left = 0;
  let returned = 0;
  const one = delivery('GET', null, false, () => (left += 1));
  one.entered({ cell: 'cell-a', role: 'home', stream: false });
  one.retrying(() => (returned += 1));
  for (const _ of [1, 2]) {
    one.leave();
    one.doneRetrying();
  }
  expect([left, returned]).toEqual([1, 1]);
});

test('a cell is sent at least three requests a second time at once, else a fifth of what is inside', () => {
  for (const [inside, most] of [
    [0, 3],
    [15, 3],
    [19, 3],
    [20, 4],
    [100, 20],
  ] as const) {
    const budget = new RetryBudget(() => inside);
    let begun = 0;
    while (begun < 1_000 && budget.allows('cell-a')) {
      budget.begin('cell-a');
      begun += 1;
    }
    expect(begun).toBe(most);
  }
});

test('a second sending that has ended makes room for another', () => {
  const budget = new RetryBudget(() => 0);
  const [first] = [1, 2, 3].map(() => budget.begin('cell-a'));
  expect(budget.allows('cell-a')).toBe(false);
  first?.();
  expect(budget.allows('cell-a')).toBe(true);
});

test('one cell’s budget is not another’s', () => {
  const budget = new RetryBudget(() => 0);
  for (const _ of [1, 2, 3]) budget.begin('cell-a');
  expect([budget.allows('cell-a'), budget.allows('cell-b')]).toEqual([false, true]);
});
