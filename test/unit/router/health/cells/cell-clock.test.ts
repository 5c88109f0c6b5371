// A cell's clock as its answers show it, in whole seconds: when this router's own is trusted, and when it is not.
import { expect, test } from 'vitest';
import { CellClock, steadyNow } from '../../../../../router/health/cells/cell-clock.ts';

/** What an answer that comes now shows when the cell's clock is so far ahead of ours. */
function shownBy(aheadMs: number, nowMs: number): string {
  return new Date(nowMs + aheadMs).toUTCString();
}

/** How far ahead of ours the cell's clock is taken to be after this answer. */
function taken(...dates: (string | null)[]): number {
  const clock = new CellClock();
  const nowMs = steadyNow();
  for (const date of dates) clock.learn(date, nowMs, nowMs);
  return clock.nowMs - steadyNow();
}

const within = (value: number, from: number, to: number): boolean => value >= from - 50 && value <= to + 50;

test('until an answer showed anything, and while none does, it is our own', () => {
  for (const dates of [[], [null], ['yesterday'], ['']]) {
    expect(within(taken(...dates), 0, 0)).toBe(true);
  }
});

test('clocks in step are taken for one, whatever part of a second the date leaves out', () => {
  const nowMs = steadyNow();
  for (const aheadMs of [-900, -400, 0, 400, 900]) {
    expect(within(taken(shownBy(aheadMs, nowMs)), 0, 0)).toBe(true);
  }
});

test.each([-86_400_000, -60_000, -5_000, 5_000, 60_000, 86_400_000])(
  'a clock that is %i ms ahead is followed, and never taken for earlier than it is',
  (aheadMs) => {
    expect(within(taken(shownBy(aheadMs, steadyNow())), aheadMs, aheadMs + 1_000)).toBe(true);
  },
);

test('once the clocks are in step again our own is taken again', () => {
  const nowMs = steadyNow();
  expect(within(taken(shownBy(60_000, nowMs), shownBy(0, nowMs)), 0, 0)).toBe(true);
});

test('a slow answer leaves room for both clocks', () => {
  const clock = new CellClock();
  const nowMs = steadyNow();
  clock.learn(shownBy(-3_000, nowMs), nowMs - 3_000, nowMs);
  expect(within(clock.nowMs - steadyNow(), 0, 0)).toBe(true);
});
