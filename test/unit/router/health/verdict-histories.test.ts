// Thousands of random histories, each step held against a second, naive account of what a verdict may and must be.
import { assert, asyncProperty } from 'fast-check';
import { expect, test } from 'vitest';
import { createInProcessStore } from '../../../../router/health/in-process-store.ts';
import { BEAT_TTL_MS } from '../../../../router/health/store.ts';
import { histories } from '../../../support/verdict-histories.ts';
import { World } from '../../../support/verdict-world.ts';

const RUNS = 4_000;

/** What histories must be rich in: those in which nothing happens would show nothing. */
const FREQUENT = [
  ...['opened', 'undone', 'undone, adopted', 'failover', 'failover in closing', 'relapse'],
  ...['lost', 'lost with a share', 'lost in closing', 'forced', 'forced in closing'],
  ...['step to 90', 'step to 50', 'step to 0', 'drain expiry', 'pin expiry', 'unpinned', 'neighbour'],
  ...['drain, all', 'drain, some', 'drain ended', 'same share', 'restore', 'pin', 'unpin', 'same pin'],
  ...['cut-over', 'cut over', 'gained', 'budget', 'no-target', 'suspect-release', 'warming-up'],
  ...[
    ...['already-away', 'handover-under-way', 'no-neighbour', 'not-at-home', 'not-caught-up', 'not-found'],
    ...['target-away', 'target-down', 'target-drained', 'third-cell'],
  ].map((refused) => `refused: ${refused}`),
];

test('no history brings about a verdict that was not due, or leaves out one that was', async () => {
  const seen = new Map<string, number>();
  await assert(
    asyncProperty(histories, async ({ fleets, setting, steps }) => {
      const open = (now: () => number) => createInProcessStore({ now, warmUpMs: BEAT_TTL_MS });
      const world = new World({ fleets, setting, open });
      for (const step of steps) await world.take(step);
      for (const [name, count] of world.model.seen) seen.set(name, (seen.get(name) ?? 0) + count);
    }),
    { numRuns: RUNS },
  );
  if (process.env['SEEN']) console.log([...seen].sort(([, a], [, b]) => b - a));
  const rare = FREQUENT.filter((name) => (seen.get(name) ?? 0) < RUNS / 200);
  expect(rare).toEqual([]);
});
