// Whose failures a handover is blamed for, and whose not.
import { expect, test } from 'vitest';
import { countEnds, countFailed, type Circumstances } from '../../../../loadtest/bench/handover-counts.ts';
import type { Sent } from '../../../../loadtest/bench/open-load.ts';
import type { StreamEnd } from '../../../../loadtest/bench/stream-clients.ts';

const NOTHING: Circumstances = { home: 'cell-a', killed: [], mayRefuseMoving: false };
const KILLED: Circumstances = { ...NOTHING, killed: [{ router: 2, atMs: 100 }] };
const MOVING: Circumstances = { ...NOTHING, mayRefuseMoving: true };

const GOOD: Sent = {
  tenant: 'acme',
  home: 'cell-a',
  method: 'GET',
  router: 2,
  startedAtMs: 90,
  endedAtMs: 110,
  status: 200,
  cell: 'cell-a',
  error: null,
};
const CUT: Sent = { ...GOOD, status: 0, cell: null, error: 'ECONNRESET' };
const REFUSED: Sent = {
  ...GOOD,
  status: 503,
  cell: null,
  error: 'placement-moving (cell-a is being handed over)',
};

test('what fails is counted, with its reason', () => {
  expect(countFailed([GOOD, CUT], NOTHING)).toEqual({
    requests: 2,
    failed: 1,
    apart: 0,
    reasons: { 'cell-a: ECONNRESET': 1 },
  });
});

test.each([
  ['was under way at the killed router', CUT, 1],
  ['was sent to it afterwards', { ...CUT, startedAtMs: 101 }, 0],
  ['had failed before', { ...CUT, endedAtMs: 99 }, 0],
  ['was at another router', { ...CUT, router: 1 }, 0],
  ['was answered', { ...CUT, status: 503, error: 'cell-unavailable' }, 0],
])('a request that %s is told apart, or not', (_, sent, apart) => {
  expect(countFailed([sent], KILLED)).toMatchObject({ failed: 1 - apart, apart });
});

test.each([
  ['of what is being moved', REFUSED, 1],
  ['of another home’s tenants', { ...REFUSED, home: 'cell-b' }, 0],
  ['with another code', { ...REFUSED, error: 'cell-unavailable' }, 0],
])('where nobody can decide a refusal %s is told apart, or not', (_, sent, apart) => {
  expect(countFailed([sent], MOVING)).toMatchObject({ failed: 1 - apart, apart });
  expect(countFailed([sent], NOTHING)).toMatchObject({ failed: 1, apart: 0 });
});

test('streams are counted by how they ended; what a killed router cut is told apart', () => {
  const end: StreamEnd = { tenant: 'acme', kind: 'events', router: 2, cell: 'cell-a', atMs: 120, how: 'cut' };
  const ends: StreamEnd[] = [
    { ...end, how: 'restart' },
    { ...end, how: 'clean' },
    end,
    { ...end, router: 1 },
    { ...end, atMs: 99 },
  ];
  expect(countEnds(ends, KILLED.killed)).toEqual({ restart: 1, clean: 1, cut: 2, apart: 1 });
});
