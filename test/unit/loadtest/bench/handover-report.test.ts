// When a kind of handover has met its targets, and what the table says of it.
import { expect, test } from 'vitest';
import { KINDS, type Kind } from '../../../../loadtest/bench/handover-kinds.ts';
import {
  handoversMet,
  judgeHandovers,
  printedHandovers,
  type HandoverRow,
} from '../../../../loadtest/bench/handover-report.ts';
import type { CountedPlay } from '../../../../loadtest/bench/handover-run.ts';
import type { Turn } from '../../../../loadtest/bench/turns.ts';

function turn(outcome: Turn['outcome'], tookMs: number): Turn {
  return {
    home: 'cell-a',
    losing: 'cell-a',
    gaining: 'cell-b',
    closingMs: 1_000,
    endMs: 1_000 + tookMs,
    outcome,
    untilMs: 9_000,
    waitingFor: [],
  };
}

function play(change: Partial<CountedPlay> = {}): CountedPlay {
  return {
    kind: 'evacuate',
    home: 'cell-a',
    fromMs: 0,
    untilMs: 10_000,
    requests: 1_000,
    failed: 0,
    apart: 0,
    reasons: {},
    holds: new Map(),
    longestMs: 80,
    turns: [],
    callMs: [],
    streams: { restart: 0, clean: 0, cut: 0, apart: 0, left: 0 },
    two: 0,
    third: 0,
    ...change,
  };
}

function rowOf(plays: CountedPlay[], kind: Kind = 'evacuate'): HandoverRow | undefined {
  return judgeHandovers({ plays }).find((row) => row.kind === kind);
}

const WHOLE = { rate: 400, brokenOff: null };

const complete = (): CountedPlay[] => KINDS.map((kind) => play({ kind }));

test('a kind that was not played is not met, and neither is the run', () => {
  expect(rowOf([])).toMatchObject({ played: 0, judgement: 'not played' });
  expect(handoversMet(judgeHandovers({ plays: [play()] }), WHOLE, 400)).toBe(false);
  expect(handoversMet(judgeHandovers({ plays: complete() }), WHOLE, 400)).toBe(true);
});

test('a load that fell behind shows nothing, and neither does a run that was broken off', () => {
  const rows = judgeHandovers({ plays: complete() });
  expect(handoversMet(rows, { ...WHOLE, rate: 390 }, 400)).toBe(false);
  expect(handoversMet(rows, { ...WHOLE, brokenOff: 'gave up' }, 400)).toBe(false);
});

const STREAMS = { restart: 2, clean: 2, cut: 0, apart: 0, left: 0 };

test.each([
  ['a failed request', { failed: 1 }, 'missed'],
  ['a tenant at two cells', { two: 1 }, 'missed'],
  ['a tenant at a third', { third: 1 }, 'missed'],
  ['a stream that was cut', { streams: { ...STREAMS, cut: 1 } }, 'missed'],
  ['a stream that was left', { streams: { ...STREAMS, left: 1 } }, 'missed'],
  ['what is told apart', { apart: 5, streams: { ...STREAMS, apart: 1 } }, 'met'],
])('%s makes it missed, or does not', (_, change, judgement) => {
  expect(rowOf([play(), play(change)])?.judgement).toBe(judgement);
});

test('handovers that were undone are no time to open', () => {
  const row = rowOf([play({ turns: [turn('undone', 2_000), turn('open', 40), turn('open', 60)] })]);
  expect(row).toMatchObject({ opened: 2, undone: 1, openMedianMs: 50, openLongestMs: 60 });
});

test('the longest hold is no longer than the longest answer, nor than the routers counted', () => {
  const edges = (last: number): Map<number, number> =>
    new Map([
      [last, 4],
      [Number.POSITIVE_INFINITY, 4],
    ]);
  expect(rowOf([play({ holds: edges(0.05), longestMs: 80 })])?.holdLongestMs).toBe(50);
  expect(rowOf([play({ holds: edges(0.1), longestMs: 80 })])?.holdLongestMs).toBe(80);
  expect(rowOf([play({ longestMs: 80 })])?.holdLongestMs).toBe(Number.NaN);
});

test('every kind has a line in the table, and what could not be measured a dash', () => {
  const lines = printedHandovers(
    judgeHandovers({ plays: complete() }),
    { rate: 399.6, stallMs: 12, brokenOff: 'gave up waiting' },
    400,
  ).split('\n');
  expect(lines.at(-1)).toContain('gave up waiting');
  expect(lines[0]).toContain('400 requests/s sent of 400');
  for (const kind of KINDS) expect(lines.find((line) => line.startsWith(kind))).toContain('–');
});
