// How soon an ended worker is replaced.
import { expect, test } from 'vitest';
import { RestartPace } from '../../../../router/workers/restart-pace.ts';

test('at once, and ever later where the next ones end soon, up to a few seconds', () => {
  const pace = new RestartPace();
  const waits = Array.from({ length: 9 }, () => pace.ended(50));
  expect(waits).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test('one that served for long is replaced at once, whatever was before', () => {
  const pace = new RestartPace();
  for (let i = 0; i < 5; i += 1) pace.ended(50);
  expect([pace.ended(60_000), pace.ended(50)]).toEqual([0, 100]);
});
