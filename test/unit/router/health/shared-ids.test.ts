// Two routers with one ID: when that is more than a restart.
import { expect, test } from 'vitest';
import { SharedIds } from '../../../../router/health/shared-ids.ts';
import { BEAT_TTL_MS } from '../../../../router/health/store.ts';

const LONG_MS = 2 * BEAT_TTL_MS + 1;
const of = (...ids: string[]) => ids.map((id) => ({ id }));

test('an ID that two have for long is told of, once', () => {
  const ids = new SharedIds();
  expect(ids.look(of('r1', 'r1', 'r2'), 0)).toEqual([]);
  expect(ids.look(of('r1', 'r1', 'r2'), LONG_MS - 1)).toEqual([]);
  expect(ids.look(of('r1', 'r1', 'r2'), LONG_MS)).toEqual(['r1']);
  expect(ids.look(of('r1', 'r1', 'r2'), LONG_MS + 1)).toEqual([]);
  expect(ids.known).toEqual(['r1']);
});

test('an ID that was there twice for a while, and is again later, is none', () => {
  const ids = new SharedIds();
  ids.look(of('r1', 'r1'), 0);
  ids.look(of('r1'), 1_000);
  expect(ids.look(of('r1', 'r1'), LONG_MS)).toEqual([]);
  expect(ids.known).toEqual([]);
});

test('an ID that has one router again is known no more', () => {
  const ids = new SharedIds();
  ids.look(of('r1', 'r1'), 0);
  ids.look(of('r1', 'r1'), LONG_MS);
  ids.look(of('r1'), LONG_MS + 1);
  expect(ids.known).toEqual([]);
});
