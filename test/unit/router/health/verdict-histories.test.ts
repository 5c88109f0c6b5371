// Thousands of random histories, each step held against a second, naive account of what a verdict may and must be.
import { assert, asyncProperty } from 'fast-check';
import { expect, test } from 'vitest';
import { createInProcessStore } from '../../../../router/health/in-process-store.ts';
import { BEAT_TTL_MS } from '../../../../router/health/store.ts';
import { histories } from '../../../support/verdict-histories.ts';
import { World } from '../../../support/verdict-world.ts';

const RUNS = 4_000;

test('no history brings about a verdict that was not due, or leaves out one that was', async () => {
  const causes = new Map<string, number>();
  await assert(
    asyncProperty(histories, async ({ homes, setting, steps }) => {
      const open = (now: () => number) => createInProcessStore({ now, warmUpMs: BEAT_TTL_MS });
      const world = new World({ homes, setting, open });
      for (const step of steps) await world.take(step);
      for (const { cause, details } of await world.store.events(1_000)) {
        const held = details?.['held'];
        const told = typeof held === 'string' ? held : cause;
        causes.set(told, (causes.get(told) ?? 0) + 1);
      }
    }),
    { numRuns: RUNS },
  );
  // Histories in which nothing happens would show nothing.
  const all = ['unreachable', 'self-declared', 'operator', 'recovered', 'neighbour-lost', 'expired'];
  const held = ['budget', 'no-target', 'suspect-release', 'warming-up'];
  for (const cause of [...all, ...held]) expect([cause, causes.get(cause) ?? 0]).toSatisfy(isFrequent);
});

function isFrequent([, count]: [string, number]): boolean {
  return count > RUNS / 200;
}
