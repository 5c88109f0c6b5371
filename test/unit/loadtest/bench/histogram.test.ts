// Histograms as they are read from /metrics.
import { Histogram as Exported, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import {
  countIn,
  difference,
  edgeOf,
  histogramIn,
  quantileOf,
  sumOf,
  type Histogram,
} from '../../../../loadtest/bench/histogram.ts';

const NAME = 'held_seconds';

/** As a router exports it. */
async function exported(observed: Record<string, readonly number[]>): Promise<string> {
  const registry = new Registry();
  const labelNames = ['kind'] as const;
  const histogram = new Exported({
    name: NAME,
    help: 'x',
    labelNames,
    buckets: [0.1, 0.2, 1],
    registers: [registry],
  });
  for (const [kind, values] of Object.entries(observed)) {
    for (const value of values) histogram.observe({ kind }, value);
  }
  return await registry.metrics();
}

async function read(observed: Record<string, readonly number[]>): Promise<Histogram> {
  return histogramIn(await exported(observed), NAME, 'kind', 'handover');
}

test('reads one label’s series, and counts what is in it', async () => {
  const histogram = await read({ handover: [0.05, 0.15, 5], verdict: [0.05] });
  expect([...histogram]).toEqual([
    [0.1, 1],
    [0.2, 2],
    [1, 2],
    [Number.POSITIVE_INFINITY, 3],
  ]);
  expect(countIn(histogram)).toBe(3);
});

test('what is not there is empty', async () => {
  const none = await read({ verdict: [0.05] });
  expect([countIn(none), quantileOf(none, 0.5), edgeOf(none)]).toEqual([0, Number.NaN, Number.NaN]);
});

test('a difference is what was observed between two readings; a new process began at nothing', async () => {
  const [before, after] = [await read({ handover: [0.05] }), await read({ handover: [0.05, 0.15, 0.16] })];
  expect(countIn(difference(after, before))).toBe(2);
  expect(countIn(difference(after))).toBe(3);
});

test('a sum is that of all routers', async () => {
  const one = await read({ handover: [0.05, 0.15] });
  expect(countIn(sumOf([one, one]))).toBe(4);
});

test('a quantile is told within its bucket, and no observation is above the last edge', async () => {
  const histogram = await read({ handover: [0.15, 0.15, 0.15, 0.15] });
  expect(quantileOf(histogram, 0.5)).toBeCloseTo(0.15);
  expect(edgeOf(histogram)).toBe(0.2);
});

test('beyond the last edge nobody knows how long it took', async () => {
  const histogram = await read({ handover: [5] });
  expect([quantileOf(histogram, 0.5), edgeOf(histogram)]).toEqual([1, Number.POSITIVE_INFINITY]);
});
