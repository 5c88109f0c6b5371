// When a figure is met, missed, or undecided.
import { expect, test } from 'vitest';
import type { Episode } from '../../../../loadtest/bench/episode.ts';
import { allMet, judge, printed, type Row } from '../../../../loadtest/bench/failover-report.ts';

const RATE = 600;
const NOTHING = { lostRouters: [], lostRedis: [], third: 0, two: 0, twoAfterSleep: 0, twoAfterHeal: 0 };

function kill(change: Partial<Episode> = {}): Episode {
  const failures = {
    notInside: 0,
    idempotentInside: 0,
    postsInside: 2,
    others: 0,
    requests: 900,
    inside: 3,
    reasons: {},
  };
  return {
    kind: 'kill',
    victim: 'cell-a',
    takeoverMs: 150,
    controlMs: 20,
    spreadMs: 5,
    failures,
    controlFailed: 0,
    controlReasons: {},
    fromMs: 0,
    untilMs: 1,
    ...change,
  };
}

function rowsOf(episodes: Episode[], change: { third?: number; rate?: number } = {}): Row[] {
  return judge({ ...NOTHING, episodes, rate: RATE, ...change }, RATE);
}

function judgementOf(rows: readonly Row[], figure: RegExp): string | undefined {
  return rows.find((row) => figure.test(row.figure))?.judgement;
}

const takeoverMedian = /^kill -9 .* median$/;

test('a good run meets everything that was played', () => {
  const rows = rowsOf([kill(), kill(), kill()]);
  expect(new Set(rows.map(({ judgement }) => judgement))).toEqual(new Set(['met', 'reported', 'not played']));
  expect(allMet(rows)).toBe(true);
});

test('a median whose interval holds the target is undecided, and the run is not good', () => {
  const rows = rowsOf([100, 200, 310, 500, 600].map((takeoverMs) => kill({ takeoverMs, controlMs: 0 })));
  expect(judgementOf(rows, takeoverMedian)).toBe('undecided');
  expect(allMet(rows)).toBe(false);
});

test('a median is judged by what the fault added to the control window', () => {
  const rows = rowsOf([kill({ takeoverMs: 400, controlMs: 200 })]);
  expect(judgementOf(rows, takeoverMedian)).toBe('met');
});

test('a median whose interval is wholly above the target is missed', () => {
  expect(judgementOf(rowsOf([kill({ takeoverMs: 900 })]), takeoverMedian)).toBe('missed');
});

test('one slow kill misses the worst', () => {
  const rows = rowsOf([kill(), kill(), kill({ takeoverMs: 1_200 })]);
  expect(judgementOf(rows, /^kill -9 .* worst$/)).toBe('missed');
});

test('one request that a third cell served misses its target', () => {
  expect(judgementOf(rowsOf([kill()], { third: 1 }), /third cell/)).toBe('missed');
});

test('a load that fell behind its rate is missed', () => {
  expect(judgementOf(rowsOf([kill()], { rate: 500 }), /^requests sent$/)).toBe('missed');
});

test('the table has a line for each figure, and a dash for what was not played', () => {
  const rows = rowsOf([kill()]);
  const lines = printed(rows).split('\n');
  expect(lines).toHaveLength(rows.length + 1);
  expect(lines.find((line) => line.startsWith('black hole'))).toMatch(/ – .* not played$/);
});
