// What is let in from Redis and from cells: what nobody could act on, or show, stays outside.
import { expect, test } from 'vitest';
import { readEvent, readRecord } from '../../../../../router/health/redis/wire.ts';
import { awayRecord } from '../../../../support/machine.ts';

const AWAY = awayRecord('cell-a', 'cell-b', 5);
/** The last millisecond that is a date (ECMA-262, section 21.4.1.1). */
const LAST_MS = 8_640_000_000_000_000;

const EVENT = {
  at: 1_000,
  cell: 'cell-a',
  from: 'serving',
  to: 'failed-over',
  epoch: 5,
  cause: 'unreachable',
  actor: 'quorum',
  reason: 'connection refused',
  details: null,
};

test.each(['since', 'deadline'])('a record whose %s is no date is malformed', (field) => {
  const read = (ms: number) => readRecord(JSON.stringify({ ...AWAY, [field]: ms }));
  expect([read(LAST_MS), read(-LAST_MS)]).not.toContain(null);
  expect([read(LAST_MS + 1), read(-LAST_MS - 1)]).toEqual([null, null]);
});

test('an event at a time that is no date is malformed: it would hide all others', () => {
  const read = (at: number) => readEvent('1-0', JSON.stringify({ ...EVENT, at }));
  expect(read(LAST_MS)).toMatchObject({ id: '1-0', at: LAST_MS });
  expect(read(LAST_MS + 1)).toBeNull();
});
