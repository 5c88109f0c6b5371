// Both stores decide the same: random histories go through both, and everything they answer is compared.
import { assert, asyncProperty } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInProcessStore } from '../../router/health/in-process/in-process-store.ts';
import type { HealthEvent } from '../../router/health/record.ts';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import { BEAT_TTL_MS } from '../../router/health/store.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { addTo, rareIn } from '../support/verdict-frequent.ts';
import { histories, type History } from '../support/verdict-histories.ts';
import { World } from '../support/verdict-world.ts';

/** Four hundred take half a minute; `npm run bench:histories` takes more. */
const RUNS = Number(process.env['HISTORIES'] ?? 400);
/** Far more than they take, where others need the machine too. */
const WITHIN_MS = 120_000 + 300 * RUNS;

let redis: RedisProcess;
let prefix = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

/** Each store names its events by its own clock. Refusals are counted exactly here, and to a percent in Redis. */
function comparable(events: HealthEvent[]): object[] {
  return events.map((event) => ({
    ...event,
    id: '',
    tenantSecondsRefused: event.tenantSecondsRefused !== null,
  }));
}

/** Takes both through the history; answers what it saw. */
async function agree({ fleets, setting, steps }: History): Promise<ReadonlyMap<string, number>> {
  const url = redis.url;
  const tag = `agreement-${(prefix += 1)}`;
  const shared = new World({
    fleets,
    setting,
    open: (now) => createRedisStore({ url, prefix: tag, now }),
    empty: async () => void (await redis.command('FLUSHALL')),
  });
  const own = new World({
    fleets,
    setting,
    open: (now) => createInProcessStore({ now, warmUpMs: BEAT_TTL_MS }),
  });
  try {
    for (const step of steps) expect(await shared.take(step)).toEqual(await own.take(step));
    const [ofShared, ofOwn] = [await shared.store.events(1_000), await own.store.events(1_000)];
    expect(comparable(ofShared)).toEqual(comparable(ofOwn));
    for (const [i, { tenantSecondsRefused }] of ofShared.entries()) {
      const exact = ofOwn[i]?.tenantSecondsRefused ?? 0;
      expect(Math.abs((tenantSecondsRefused ?? 0) - exact)).toBeLessThanOrEqual(1);
    }
    return own.model.seen;
  } finally {
    await shared.store.close();
  }
}

test(
  'the scripts and the pure decisions agree over random histories',
  async () => {
    const seen = new Map<string, number>();
    await assert(
      asyncProperty(histories, async (history) => {
        addTo(seen, await agree(history));
      }),
      { numRuns: RUNS },
    );
    expect(rareIn(seen, RUNS)).toEqual([]);
  },
  WITHIN_MS,
);
