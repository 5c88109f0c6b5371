// Thousands of random histories, each step held against a second, naive account of what a verdict may and must be.
import { assert, asyncProperty } from 'fast-check';
import { expect, test } from 'vitest';
import { createInProcessStore } from '../../../../router/health/in-process/in-process-store.ts';
import { BEAT_TTL_MS } from '../../../../router/health/store.ts';
import { addTo, rareIn } from '../../../support/verdict-frequent.ts';
import { histories } from '../../../support/verdict-histories.ts';
import { World } from '../../../support/verdict-world.ts';

/** Two thousand take ten seconds; `npm run bench:histories` takes many more. */
const RUNS = Number(process.env['HISTORIES'] ?? 2_000);
/** Far more than they take, where others need the machine too. */
const WITHIN_MS = 120_000 + 60 * RUNS;

test(
  'no history brings about a verdict that was not due, or leaves out one that was',
  async () => {
    const seen = new Map<string, number>();
    await assert(
      asyncProperty(histories, async ({ fleets, setting, steps }) => {
        const open = (now: () => number) => createInProcessStore({ now, warmUpMs: BEAT_TTL_MS });
        const world = new World({ fleets, setting, open });
        for (const step of steps) await world.take(step);
        addTo(seen, world.model.seen);
      }),
      { numRuns: RUNS },
    );
    expect(rareIn(seen, RUNS)).toEqual([]);
  },
  WITHIN_MS,
);
