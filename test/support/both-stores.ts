// Both stores, side by side: whatever one of them does the other must do.
import { afterAll, beforeAll } from 'vitest';
import { createInProcessStore } from '../../router/health/in-process/in-process-store.ts';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import type { Store } from '../../router/health/store.ts';
import { startRedis, type RedisProcess } from './redis.ts';

/** `now`: epoch milliseconds. `warmUpMs`: how long after a silence nothing is decided. */
export type MakeStore = (now: () => number, warmUpMs?: number) => Store;

let prefix = 0;

/** For all tests of a file, which have one Redis; each store has a state of its own in it. */
export function bothStores(): { stores: [string, MakeStore][]; redis: () => RedisProcess } {
  let redis: RedisProcess | null = null;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(async () => await redis?.stop());
  const running = (): RedisProcess => {
    if (redis === null) throw new Error('Redis is started before the first test');
    return redis;
  };
  const shared: MakeStore = (now, warmUpMs = 0) =>
    createRedisStore({ url: running().url, prefix: `both-${(prefix += 1)}`, now, warmUpMs });
  const own: MakeStore = (now, warmUpMs = 0) => createInProcessStore({ now, warmUpMs });
  return {
    stores: [
      ['redis', shared],
      ['in-process', own],
    ],
    redis: running,
  };
}
