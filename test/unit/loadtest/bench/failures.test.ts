// Which failed request is counted where.
import { expect, test } from 'vitest';
import { countFailures } from '../../../../loadtest/bench/failures.ts';
import type { Sent } from '../../../../loadtest/bench/open-load.ts';

const BEGAN = 100;
const GONE = 110;

function sent(change: Partial<Sent>): Sent {
  return {
    tenant: 'acme',
    home: 'cell-a',
    method: 'GET',
    router: 0,
    startedAtMs: 90,
    endedAtMs: 120,
    status: 503,
    cell: null,
    error: 'cell-unavailable',
    ...change,
  };
}

const count = (...requests: Sent[]) => countFailures(requests, 'cell-a', BEGAN, GONE);

test('what was unanswered when the cell went was inside, by method', () => {
  const failures = count(
    sent({ method: 'GET' }),
    sent({ method: 'POST' }),
    sent({ status: 200, error: null }),
  );
  expect(failures).toMatchObject({ inside: 3, idempotentInside: 1, postsInside: 1, notInside: 0 });
});

test('what was sent while the cell was going counts as inside, what was sent after it does not', () => {
  const failures = count(sent({ startedAtMs: GONE }), sent({ startedAtMs: GONE + 1 }));
  expect(failures).toMatchObject({ inside: 1, idempotentInside: 1, notInside: 1 });
});

test('what was answered before the fault was not inside', () => {
  expect(count(sent({ startedAtMs: 80, endedAtMs: 99, status: 200 })).inside).toBe(0);
});

test('tenants of other cells are counted apart', () => {
  expect(count(sent({ home: 'cell-b' }))).toMatchObject({ others: 1, notInside: 0, idempotentInside: 0 });
});

test('reasons are told by home: codes, connection errors, or else the status', () => {
  const failures = count(sent({}), sent({}), sent({ status: 500, error: null }));
  expect(failures.reasons).toEqual({ 'cell-a: cell-unavailable': 2, 'cell-a: 500': 1 });
});
