// What others have disturbed is measured again, and not for ever.
import { expect, test } from 'vitest';
import { measureCalmly, OTHERS_MOST, Repeats } from '../../../../loadtest/bench/speed-repeats.ts';

/** Measurements during which others took these parts of the machine, one after the other; the last one stays. */
function measuring(...parts: number[]) {
  let count = 0;
  const once = () => {
    const others = parts[Math.min(count, parts.length - 1)] ?? 0;
    count += 1;
    return Promise.resolve({ others, disturbed: false, at: count });
  };
  return { once, count: () => count };
}

test('a calm measurement is taken as it is', async () => {
  const repeats = new Repeats(5);
  const { once } = measuring(OTHERS_MOST);
  expect(await measureCalmly(repeats, once)).toEqual({ others: OTHERS_MOST, disturbed: false, at: 1 });
  expect(repeats.used).toBe(0);
});

test('a disturbed one is measured again until it is calm', async () => {
  const repeats = new Repeats(5);
  const { once } = measuring(0.5, 0.07, 0.01);
  expect(await measureCalmly(repeats, once)).toEqual({ others: 0.01, disturbed: false, at: 3 });
  expect([repeats.used, repeats.givenUp]).toEqual([2, 0]);
});

test('one that is never calm is given up after a few times, and says so', async () => {
  const repeats = new Repeats(50);
  const { once, count } = measuring(0.5);
  expect(await measureCalmly(repeats, once)).toMatchObject({ disturbed: true });
  expect([count(), repeats.used, repeats.givenUp]).toEqual([4, 3, 1]);
});

test('all together are repeated no more often than allowed', async () => {
  const repeats = new Repeats(4);
  const { once, count } = measuring(0.5);
  for (let at = 0; at < 3; at += 1) await measureCalmly(repeats, once);
  expect([count(), repeats.used, repeats.givenUp]).toEqual([7, 4, 3]);
});
