// The judged table of the bench on the wire.
import { expect, test } from 'vitest';
import { allMet, judge, printed, type Tried } from '../../../../loadtest/bench/wire-report.ts';

const GOOD: Tried = {
  fuzz: { cases: 10, made: 9, seen: 5, statuses: new Map([['200', 5]]), failures: [] },
  slow: [{ mode: 'head', most: 300, left: 0, ordinary: 100, failed: 0 }],
  tunnels: { wanted: 3, opened: 3, whole: 3, echoMs: 1, leftOpen: 0 },
};

test('all as it should be is met', () => {
  expect(allMet(judge(GOOD))).toBe(true);
  expect(printed(judge(GOOD))).not.toContain('MISSED');
});

test.each<[string, Partial<Tried>]>([
  [
    'a failure of a case',
    { fuzz: { cases: 1, made: 1, seen: 1, statuses: new Map(), failures: ['case 0 hung'] } },
  ],
  ['a connection left open', { slow: [{ mode: 'read', most: 300, left: 1, ordinary: 9, failed: 0 }] }],
  [
    'an ordinary request that failed',
    { slow: [{ mode: 'body', most: 300, left: 0, ordinary: 9, failed: 1 }] },
  ],
  ['a tunnel that did not echo', { tunnels: { wanted: 3, opened: 3, whole: 2, echoMs: 1, leftOpen: 0 } }],
])('%s is missed', (_, part) => {
  const rows = judge({ ...GOOD, ...part });
  expect(allMet(rows)).toBe(false);
  expect(printed(rows)).toContain('MISSED');
});

test('what was not tried is not judged', () => {
  expect(judge({ fuzz: null, slow: null, tunnels: null })).toEqual([]);
});
