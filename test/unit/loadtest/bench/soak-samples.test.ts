// How a router's metrics are summed, and how samples of a span of time become one figure.
import { expect, test } from 'vitest';
import { leastWithin, medianWithin, metricIn } from '../../../../loadtest/bench/soak-samples.ts';

const TEXT = [
  '# HELP held Requests that wait.',
  '# TYPE held gauge',
  'held{cell="cell-a"} 2',
  'held{cell="cell-b"} 3',
  '# TYPE held_longer gauge',
  'held_longer 50',
  '# TYPE empty gauge',
].join('\n');

test('a metric is the sum of its series, and of no other metric’s', () => {
  expect(metricIn(TEXT, 'held')).toBe(5);
});

test('a metric without a series is nothing, and one that is not declared is unknown', () => {
  expect(metricIn(TEXT, 'empty')).toBe(0);
  expect(metricIn(TEXT, 'gone')).toBeNaN();
});

test('the samples outside of a span do not count', () => {
  const samples = [1, 9, 2, 4, 100].map((value, second) => ({ atMs: second * 1_000, value }));
  expect(medianWithin(samples, 1_000, 3_000)).toBe(4);
  expect(leastWithin(samples, 1_000, 3_000)).toBe(2);
  expect(leastWithin(samples, 9_000, 9_999)).toBeNaN();
});
