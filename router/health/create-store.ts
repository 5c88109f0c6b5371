// Which store the settings ask for: Redis where there is a URL, else one in this process.
import { createInProcessStore } from './in-process/in-process-store.ts';
import { createRedisStore } from './redis/redis-store.ts';
import type { Store } from './store.ts';

/** The in-process store serves one router: it shares nothing, and forgets everything at its end. */
export function createStore(config: { REDIS_URL?: string | undefined; REDIS_PREFIX: string }): Store {
  if (config.REDIS_URL === undefined) return createInProcessStore();
  return createRedisStore({ url: config.REDIS_URL, prefix: config.REDIS_PREFIX });
}
