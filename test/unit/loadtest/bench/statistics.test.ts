// Medians and their intervals.
import { expect, test } from 'vitest';
import { median, medianInterval, medianRatio, worst } from '../../../../loadtest/bench/statistics.ts';

test('the median is the middle value, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('the worst is the largest value', () => {
  expect(worst([1, 9, 3])).toBe(9);
  expect(worst([])).toBeNaN();
});

test('the interval of equal values is that value', () => {
  expect(medianInterval([7, 7, 7, 7])).toEqual({ low: 7, high: 7 });
});

test('the interval holds the median, is narrower than the range, and is the same each time', () => {
  const values = Array.from({ length: 20 }, (_, index) => index * 10);
  const interval = medianInterval(values);

  expect(interval.low).toBeLessThan(median(values));
  expect(interval.high).toBeGreaterThan(median(values));
  expect(interval.low).toBeGreaterThan(0);
  expect(interval.high).toBeLessThan(190);
  expect(medianInterval(values)).toEqual(interval);
});

test('a ratio is taken pair by pair, so that what slowed both of a pair does not count', () => {
  const { value, interval } = medianRatio([10, 40, 20], [20, 80, 40]);
  expect(value).toBe(0.5);
  expect(interval).toEqual({ low: 0.5, high: 0.5 });
});

test('what has no partner is left out of a ratio', () => {
  expect(medianRatio([10, 40, 99], [20, 80]).value).toBe(0.5);
});
