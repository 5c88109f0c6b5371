// When a process counts as having been asleep.
import { expect, onTestFinished, test } from 'vitest';
import { Pulse } from '../../../../cell-template/contract/pulse.ts';

/** A pulse by clocks that the test sets, and how often it has found a sleep. */
function pulsing(): { clocks: { steady: number; wall: number }; beat: () => number } {
  const clocks = { steady: 0, wall: 0 };
  let sleeps = 0;
  const pulse = new Pulse(() => (sleeps += 1), {
    asleepMs: 500,
    clocks: [() => clocks.steady, () => clocks.wall],
  });
  onTestFinished(() => pulse.stop());
  const beat = (): number => {
    pulse.beat();
    return sleeps;
  };
  return { clocks, beat };
}

test.each(['steady', 'wall'] as const)('a gap of the %s clock is a sleep, found once', (clock) => {
  const { clocks, beat } = pulsing();
  clocks[clock] += 501;
  expect([beat(), beat()]).toEqual([1, 1]);
});

test('many small pauses are none, nor is a wall clock that is set back', () => {
  const { clocks, beat } = pulsing();
  for (let i = 0; i < 10; i += 1) {
    clocks.steady += 500;
    beat();
  }
  clocks.wall -= 10_000;
  expect(beat()).toBe(0);
});
