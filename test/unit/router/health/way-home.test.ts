// The way home, case by case.
import { expect, test } from 'vitest';
import type { Decision } from '../../../../router/health/decide.ts';
import type { HealthRecord, Vote } from '../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, UP } from '../../../support/machine.ts';
import { decided as decideOf, NOW, type Situation } from '../../../support/verdict.ts';

const LAGGING: Vote = { opinion: 'up', caughtUp: false };
const CAUGHT_UP: Vote = { opinion: 'up', caughtUp: true };
const AWAY = { ...awayRecord('cell-a', 'cell-b', 2), since: NOW - 10_000 };
const FORCED: HealthRecord = { ...AWAY, cause: 'operator', deadline: NOW + 1 };

function decided(home: Vote, target: Vote | null, situation: Partial<Situation> = {}): Decision {
  const vote: Record<string, Vote> =
    target === null ? { 'cell-a': home } : { 'cell-a': home, 'cell-b': target };
  const homes = homesOf('cell-a', 'cell-b').slice(0, 1);
  return decideOf({ homes, votes: [vote, vote, vote], records: [AWAY], ...situation });
}

function cause(...args: Parameters<typeof decided>): string | null {
  const [record] = decided(...args).changed;
  expect(record?.state ?? 'serving').toBe('serving');
  return record?.cause ?? null;
}

test('a home that is up and caught up returns after the dwell', () => {
  expect(cause(UP, UP, { minDwellMs: 10_001 })).toBe(null);
  expect(cause(UP, UP, { minDwellMs: 10_000 })).toBe('recovered');
  expect(cause(CAUGHT_UP, UP)).toBe('recovered');
});

test('a home that has not caught up stays away, however long', () => {
  expect(cause(LAGGING, UP)).toBe(null);
});

test('a clock that was set back by more than the dwell does not keep a home away', () => {
  const ahead = { ...AWAY, since: NOW + 3_600_000 };
  expect(cause(UP, UP, { records: [ahead], minDwellMs: 10_000 })).toBe('recovered');
  expect(cause(UP, UP, { records: [{ ...AWAY, since: NOW + 9 }], minDwellMs: 10 })).toBe(null);
});

test('a home whose neighbour is down returns at once, within the dwell, when it caught up or has no such word', () => {
  expect(cause(UP, DOWN, { minDwellMs: 1e9 })).toBe('neighbour-lost');
  expect(cause(CAUGHT_UP, DOWN, { minDwellMs: 1e9 })).toBe('neighbour-lost');
});

test('a home that has not caught up returns only some time after its neighbour was lost', () => {
  const waited = { lost: { 'cell-a': NOW - 5_000 } };
  expect(cause(LAGGING, DOWN, { ...waited, neighbourLostMs: 5_001 })).toBe(null);
  expect(cause(LAGGING, DOWN, { ...waited, neighbourLostMs: 5_000 })).toBe('neighbour-lost');
});

test('the loss of a neighbour counts from when it was first seen down, whatever its home did meanwhile', () => {
  expect([...decided(DOWN, DOWN).lost]).toEqual([['cell-a', NOW]]);
  expect([...decided(DOWN, DOWN, { lost: { 'cell-a': 5 } }).lost]).toEqual([['cell-a', 5]]);
});

test('a neighbour that nobody can judge is not found again; one that is up is', () => {
  expect([...decided(DOWN, null, { lost: { 'cell-a': 5 } }).lost]).toEqual([['cell-a', 5]]);
  expect([...decided(DOWN, UP, { lost: { 'cell-a': 5 } }).lost]).toEqual([]);
});

test('a loss in the future is of a clock that was set back, and begins anew', () => {
  expect([...decided(LAGGING, DOWN, { lost: { 'cell-a': NOW + 1 } }).lost]).toEqual([['cell-a', NOW]]);
});

test('a home that returned has lost nobody', () => {
  expect([...decided(UP, DOWN, { lost: { 'cell-a': 5 } }).lost]).toEqual([]);
});

test('a forced failover stays until its deadline, whatever the votes', () => {
  expect(cause(UP, UP, { records: [FORCED] })).toBe(null);
  expect(cause(UP, UP, { records: [{ ...FORCED, deadline: NOW }], minDwellMs: 1e9 })).toBe('expired');
});

test('a forced failover that expired waits for its home to be up and caught up', () => {
  const records = [{ ...FORCED, deadline: NOW }];
  expect(cause(DOWN, UP, { records })).toBe(null);
  expect(cause(LAGGING, UP, { records })).toBe(null);
});

test('a forced failover whose neighbour is down ends at once', () => {
  expect(cause(UP, DOWN, { records: [FORCED] })).toBe('neighbour-lost');
});

test('a home that returned has no deadline any more', () => {
  expect(decided(UP, UP, { records: [{ ...FORCED, deadline: NOW }] }).changed).toMatchObject([
    { deadline: null, share: 0, epoch: 3 },
  ]);
});
