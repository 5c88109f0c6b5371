// The process of a dry run: bounded, one at a time, and gone when it is done.
import { expect, test } from 'vitest';
import { DryRunner, type DryRunQuestion } from '../../../../router/admin/dry-runner.ts';
import { fleetFrom, PAIR, PAIR_TEXT } from '../fleet/fleets.ts';

const { digest, cells, history } = fleetFrom(PAIR);
const question = (text: string): DryRunQuestion => ({
  text,
  active: { digest, cells, history },
  standings: new Map(),
  loads: null,
  records: [],
});

test('a file is tried, and another one after it', async () => {
  const runner = new DryRunner();
  for (let i = 0; i < 2; i += 1) {
    expect(await runner.run(question(PAIR_TEXT))).toMatchObject({ plan: { movedBuckets: 0 } });
  }
});

test('what takes too long is cut off, and another file may be tried', async () => {
  const runner = new DryRunner({ timeMs: 1, heapMb: 512 });
  expect(await runner.run(question(PAIR_TEXT))).toEqual({ refused: 'too-much' });
  expect(await runner.run(question(PAIR_TEXT))).toEqual({ refused: 'too-much' });
});

test('what takes too much memory is cut off', async () => {
  const runner = new DryRunner({ timeMs: 60_000, heapMb: 32 });
  const items = `x: [${'{a: b}, '.repeat(500_000)}]\n`;
  expect(await runner.run(question(PAIR_TEXT + items))).toEqual({ refused: 'too-much' });
});

test('a file that nests without end is cut off or refused with its faults', async () => {
  const answer = await new DryRunner().run(question('['.repeat(200_000)));
  expect('faults' in answer || 'refused' in answer).toBe(true);
});

test('closing ends what is under way', async () => {
  const runner = new DryRunner();
  const answer = runner.run(question(PAIR_TEXT));
  runner.close();
  expect(await answer).toEqual({ refused: 'too-much' });
});
