// The way home, case by case.
import { expect, test } from 'vitest';
import type { Decision } from '../../../../../router/health/verdicts/decide.ts';
import type { HealthRecord, Vote } from '../../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, UP } from '../../../../support/machine.ts';
import { decided as decideOf, NOW, type Situation } from '../../../../support/verdict.ts';

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
  return decided(...args).changed[0]?.cause ?? null;
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

test('the first step home ends what the deadline was for', () => {
  expect(decided(UP, UP, { records: [{ ...FORCED, deadline: NOW }] }).changed).toMatchObject([
    { deadline: null, phase: 'closing', state: 'returning', share: 90, shareBefore: 100, epoch: 3 },
  ]);
});

test.each([
  [100, 90],
  [90, 50],
  [50, 0],
  [70, 50],
  [10, 0],
])('from %i %% away the next step leaves %i %%', (share, next) => {
  const record: HealthRecord = { ...AWAY, state: 'returning', cause: 'recovered', share, operation: 2 };
  expect(decided(UP, UP, { records: [record] }).changed).toMatchObject([{ share: next, shareBefore: share }]);
});

test('a step home waits for a quarter of the dwell after the last one', () => {
  const record: HealthRecord = { ...AWAY, state: 'returning', share: 90, operation: 2, since: NOW - 1_000 };
  expect(decided(UP, UP, { records: [record], minDwellMs: 4_001 }).changed).toEqual([]);
  expect(decided(UP, UP, { records: [record], minDwellMs: 4_000 }).changed).toHaveLength(1);
});

test('each relapse doubles the dwell, up to ten minutes', () => {
  const since = (ms: number, relapses: number) => [{ ...AWAY, since: NOW - ms, relapses }];
  expect(cause(UP, UP, { records: since(3_999, 2), minDwellMs: 1_000 })).toBe(null);
  expect(cause(UP, UP, { records: since(4_000, 2), minDwellMs: 1_000 })).toBe('recovered');
  expect(cause(UP, UP, { records: since(599_999, 10), minDwellMs: 1_000 })).toBe(null);
  expect(cause(UP, UP, { records: since(600_000, 10), minDwellMs: 1_000 })).toBe('recovered');
  expect(cause(UP, UP, { records: since(600_000, 10), minDwellMs: 700_000 })).toBe(null);
});

test('after a handover that was undone the next one waits, for twice as long each time', () => {
  const since = (ms: number, undone: number) => [{ ...AWAY, since: NOW - ms, undone }];
  expect(cause(UP, UP, { records: since(3_999, 1), handoverMs: 2_000 })).toBe(null);
  expect(cause(UP, UP, { records: since(4_000, 1), handoverMs: 2_000 })).toBe('recovered');
  expect(cause(UP, UP, { records: since(7_999, 2), handoverMs: 2_000 })).toBe(null);
});

test('a step that was undone is tried again after that time alone, not after a whole dwell', () => {
  const undone: HealthRecord = { ...AWAY, since: NOW - 4_000, undone: 1, shareBefore: 90 };
  expect(cause(UP, UP, { records: [undone], handoverMs: 2_000, minDwellMs: 600_000 })).toBe('recovered');
  const returning = { ...undone, state: 'returning' as const, cause: 'recovered' as const };
  expect(cause(UP, UP, { records: [returning], handoverMs: 2_000, minDwellMs: 600_000 })).toBe('recovered');
});

test('a pin that was undone makes no dwell shorter', () => {
  const undone: HealthRecord = { ...AWAY, since: NOW - 4_000, undone: 1, shareBefore: 100 };
  expect(cause(UP, UP, { records: [undone], handoverMs: 2_000, minDwellMs: 4_001 })).toBe(null);
});

test('a home that lost its neighbour has returned, if a verdict had sent it away', () => {
  expect(decided(UP, DOWN, { records: [AWAY] }).changed).toMatchObject([{ share: 0, returned: NOW }]);
  expect(decided(UP, DOWN, { records: [FORCED] }).changed).toMatchObject([{ share: 0, returned: null }]);
});

test('no step home begins while a live machine does not speak of handovers', () => {
  expect(cause(UP, UP, { handsOver: false })).toBe(null);
});

test('no step home begins while nobody knows how the neighbour is', () => {
  expect(cause(UP, null)).toBe(null);
});

test('a drain without an end stays; one whose time is up comes home in steps', () => {
  const drained: HealthRecord = { ...FORCED, state: 'drained', deadline: null };
  expect(decided(UP, UP, { records: [drained] }).changed).toEqual([]);
  expect(decided(UP, UP, { records: [{ ...drained, deadline: NOW }] }).changed).toMatchObject([
    { share: 90, state: 'returning', cause: 'expired' },
  ]);
});

test('a home that was drained in part takes its tenants back when its neighbour is lost, and drops pins to it', () => {
  const pins = { acme: { cell: 'cell-b', until: NOW + 9 }, bolt: { cell: 'cell-a', until: NOW + 9 } };
  const part: HealthRecord = { ...FORCED, state: 'serving', share: 30, operation: 2, pins };
  expect(decided(UP, DOWN, { records: [part] }).changed).toMatchObject([
    {
      share: 0,
      target: 'cell-a',
      operation: null,
      cause: 'neighbour-lost',
      pins: { bolt: { cell: 'cell-a' } },
    },
  ]);
});

test('a pin to a neighbour that is lost is dropped, even where nobody else is away', () => {
  const pins = { acme: { cell: 'cell-b', until: NOW + 9 } };
  const record: HealthRecord = { ...AWAY, state: 'serving', target: 'cell-a', share: 0, pins };
  expect(decided(UP, DOWN, { records: [record] }).changed).toMatchObject([
    { pins: {}, cause: 'neighbour-lost' },
  ]);
});
