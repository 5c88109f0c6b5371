// When a figure of the lanes is met, missed, or undecided.
import { expect, test } from 'vitest';
import {
  judgeLanes,
  lanesMet,
  printedLanes,
  type LanesRow,
} from '../../../../loadtest/bench/lanes-report.ts';
import type { LanesMeasured, Round } from '../../../../loadtest/bench/lanes-run.ts';
import type { Seen } from '../../../../loadtest/bench/lanes-window.ts';
import { percentile } from '../../../../loadtest/bench/statistics.ts';

function seen(change: Partial<Seen> = {}): Seen {
  return { p99Ms: 200, failed: 0, requests: 400, stallMs: 5, ...change };
}

function round(change: Partial<Round> = {}): Round {
  return {
    control: seen(),
    failover: seen(),
    guestsServed: 40,
    guestsRefused: 56,
    guestsStarved: 0,
    guestsFailed: 0,
    noisy: seen(),
    noisyServed: 40,
    noisySent: 240,
    ...change,
  };
}

function rowsOf(rounds: Round[], change: Partial<LanesMeasured> = {}): LanesRow[] {
  return judgeLanes({ rounds, third: 0, sentPart: 1, withoutLanes: null, ...change });
}

function judgementOf(rows: readonly LanesRow[], figure: RegExp): string | undefined {
  return rows.find((row) => figure.test(row.figure))?.judgement;
}

const RATIO = /with guests: p99 ÷ control/;
const FAILED = /with guests: failed/;

test('a good run meets everything', () => {
  const rows = rowsOf([round(), round(), round()]);
  expect(new Set(rows.map(({ judgement }) => judgement))).toEqual(new Set(['met', 'reported']));
  expect(lanesMet(rows)).toBe(true);
});

test('a p99 is judged by its ratio to the control beside it', () => {
  const slow = seen({ p99Ms: 900 });
  expect(judgementOf(rowsOf([round({ control: slow, failover: slow })]), RATIO)).toBe('met');
  expect(judgementOf(rowsOf([round({ failover: slow })]), RATIO)).toBe('missed');
});

test('a ratio whose interval holds the target is undecided, and the run is not good', () => {
  const rows = rowsOf([210, 280, 320, 500, 700].map((p99Ms) => round({ failover: seen({ p99Ms }) })));
  expect([judgementOf(rows, RATIO), lanesMet(rows)]).toEqual(['undecided', false]);
});

test('one home tenant’s failure in a calm window is missed', () => {
  expect(judgementOf(rowsOf([round(), round({ failover: seen({ failed: 1 }) })]), FAILED)).toBe('missed');
});

test('failures in a window in which the load was held up, or beside a control that failed too, are undecided', () => {
  const stalled = seen({ failed: 3, stallMs: 90 });
  const beside = { control: seen({ failed: 2 }), failover: seen({ failed: 1 }) };
  expect(judgementOf(rowsOf([round({ failover: stalled })]), FAILED)).toBe('undecided');
  expect(judgementOf(rowsOf([round(beside)]), FAILED)).toBe('undecided');
});

test.each([
  ['a third cell', { third: 1 }, /third cell/],
  ['a load that fell behind', { sentPart: 0.98 }, /requests sent/],
])('%s is missed', (_, change, figure) => {
  expect(judgementOf(rowsOf([round()], change), figure)).toBe('missed');
});

test('a guest tenant that got nothing is missed', () => {
  expect(judgementOf(rowsOf([round({ guestsStarved: 1 })]), /got nothing/)).toBe('missed');
});

test('the table has a line for each figure, under the one that says what was measured', () => {
  const rows = rowsOf([round()], { withoutLanes: seen({ p99Ms: 9_000, failed: 100 }) });
  expect(printedLanes(rows, 1).split('\n')).toHaveLength(rows.length + 2);
});

test('a percentile is the nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect([
    percentile(values, 0.99),
    percentile(values, 1),
    percentile([7], 0.5),
    percentile([], 0.5),
  ]).toEqual([198, 200, 7, Number.NaN]);
});
