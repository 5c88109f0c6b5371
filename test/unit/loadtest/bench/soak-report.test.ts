// When the memory of a router is met or missed, and which moments of a load are compared.
import { expect, test } from 'vitest';
import type { IdleMeasured } from '../../../../loadtest/bench/soak-idle.ts';
import type { MixedMeasured } from '../../../../loadtest/bench/soak-mixed.ts';
import {
  judgeIdle,
  judgeMixed,
  momentsOf,
  printedFailures,
  printedSoak,
  soakMet,
  type SoakRow,
} from '../../../../loadtest/bench/soak-report.ts';
import type { Sample } from '../../../../loadtest/bench/soak-samples.ts';

const MINUTE_MS = 60_000;

const IDLE: IdleMeasured = {
  connections: 2_000,
  startRssMb: 90,
  idleRssMb: 120,
  idleOpen: 2_000,
  busyRssMb: 200,
  busyAnswers: 5_000,
  afterBusyRssMb: 190,
  afterBusyOpen: 2_000,
};

/** One sample a second of ten minutes. */
function samplesOf(valueAt: (second: number) => number): Sample[] {
  return Array.from({ length: 600 }, (_, second) => ({ atMs: second * 1_000, value: valueAt(second) }));
}

function mixed(change: Partial<MixedMeasured> = {}): MixedMeasured {
  const flat = samplesOf(() => 100);
  return {
    loadMs: 10 * MINUTE_MS,
    rate: 300,
    counts: { due: 180_000, sent: 180_000, kinds: {}, excused: { 'GET: 502': 3 }, wrong: {} },
    turns: { failovers: 20, drains: 20 },
    streams: { all: { 'events, clean': 40 }, wrong: {} },
    samples: { rss: flat, heap: flat, external: flat, descriptors: flat },
    restRssMb: 100,
    descriptors: { atStart: { socket: 20, pipe: 9 }, atEnd: { socket: 20, pipe: 9 } },
    left: { connections: 0, requests: 0, tunnels: 0, held: 0 },
    ...change,
  };
}

function judgementOf(rows: readonly SoakRow[], figure: RegExp): string | undefined {
  return rows.find((row) => figure.test(row.figure))?.judgement;
}

test('a good run meets everything', () => {
  const rows = [...judgeIdle(IDLE), ...judgeMixed(mixed())];
  expect(new Set(rows.map(({ judgement }) => judgement))).toEqual(new Set(['met', 'reported']));
  expect(soakMet(rows)).toBe(true);
});

test('memory with idle connections is judged only while all of them are open', () => {
  expect(judgementOf(judgeIdle({ ...IDLE, idleRssMb: 161 }), /^RSS with 2000/)).toBe('missed');
  expect(judgementOf(judgeIdle({ ...IDLE, idleOpen: 1_999 }), /open while looked at/)).toBe('missed');
});

test('ten minutes are compared with the end of their second one', () => {
  const { early, last } = momentsOf(10 * MINUTE_MS);
  expect(early).toEqual([110_000, 130_000]);
  expect(last).toEqual([580_000, 600_000]);
});

test('of a shorter load the moments are as much earlier and shorter', () => {
  const { early, last } = momentsOf(MINUTE_MS);
  expect(early).toEqual([9_000, 15_000]);
  expect(last).toEqual([54_000, 60_000]);
});

test('memory that grows from the second minute on is missed, and what it grew by before is not looked at', () => {
  const base = mixed().samples;
  const grows = mixed({ samples: { ...base, rss: samplesOf((second) => 100 + second / 10) } });
  expect(judgementOf(judgeMixed(grows), /÷ early/)).toBe('missed');
  const settles = mixed({ samples: { ...base, rss: samplesOf((second) => Math.min(200, 100 + second)) } });
  expect(judgementOf(judgeMixed(settles), /÷ early/)).toBe('met');
});

test('one descriptor more than at the start is missed, whatever kind it is of', () => {
  const descriptors = { atStart: { socket: 20, pipe: 9 }, atEnd: { socket: 19, pipe: 11 } };
  expect(judgementOf(judgeMixed(mixed({ descriptors })), /^descriptors at the end/)).toBe('missed');
});

test('a metric that is not there any more is not taken for nothing left', () => {
  const left = { ...mixed().left, tunnels: Number.NaN };
  expect(judgementOf(judgeMixed(mixed({ left })), /tunnels/)).toBe('missed');
});

test('a load that fell behind is missed', () => {
  const counts = { ...mixed().counts, sent: 170_000 };
  expect(judgementOf(judgeMixed(mixed({ counts })), /of those due/)).toBe('missed');
});

test('what nothing explains is missed, and told with how often it came', () => {
  const counts = { ...mixed().counts, wrong: { 'GET: 500': 2, 'HEAD: 0 hung': 7 } };
  const run = mixed({ counts });
  expect(judgementOf(judgeMixed(run), /nothing explains/)).toBe('missed');
  expect(printedFailures(run)).toBe('7 × HEAD: 0 hung\n2 × GET: 500\n');
});

test('the table names each target', () => {
  expect(printedSoak(judgeIdle(IDLE))).toContain('160.0 MB');
});
