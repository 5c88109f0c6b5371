// What machines tell of their load: kept for a while, alike in both stores, and read with suspicion.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { HomeLoad } from '../../router/health/load.ts';
import { createInProcessStore } from '../../router/health/in-process/in-process-store.ts';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { LOAD_TTL_MS, StoreUnavailable, type Store } from '../../router/health/store.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';

const A: HomeLoad = { home: 'cell-a', rps: 12.5, concurrency: 3, tunnels: 1 };
const B: HomeLoad = { home: 'cell-b', rps: 0.25, concurrency: 0, tunnels: 900 };

let redis: RedisProcess;
let prefix = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

const redisStore = (): RedisStore => createRedisStore({ url: redis.url, prefix: `loads-${(prefix += 1)}` });

describe.each<[string, () => Store]>([
  ['redis', redisStore],
  ['in-process', () => createInProcessStore()],
])('the %s store', (_, make) => {
  let store: Store;
  beforeEach(() => {
    store = make();
    onTestFinished(async () => await store.close());
  });

  test('answers what each machine told last', async () => {
    await store.tellLoad('r1', [B]);
    await store.tellLoad('r1', [A, B]);
    await store.tellLoad('r2', []);
    expect(await store.loads(['r1', 'r2'])).toEqual(
      new Map([
        ['r1', [A, B]],
        ['r2', []],
      ]),
    );
  });

  test('tells a machine that told nothing from one without load', async () => {
    await store.tellLoad('r2', []);
    expect(await store.loads(['r1', 'r2'])).toEqual(new Map([['r2', []]]));
    expect(await store.loads([])).toEqual(new Map());
  });

  test('answers for the machines that were asked for alone', async () => {
    await store.tellLoad('r1', [A]);
    await store.tellLoad('r2', [B]);
    expect([...(await store.loads(['r2'])).keys()]).toEqual(['r2']);
  });

  test('forgets the load of a machine that leaves', async () => {
    await store.tellLoad('r1', [A]);
    await store.leave('r1');
    expect(await store.loads(['r1'])).toEqual(new Map());
  });
});

test('in this process a load is forgotten after its time', async () => {
  let now = 1_790_000_000_000;
  const store = createInProcessStore({ now: () => now });
  await store.tellLoad('r1', [A]);
  now += LOAD_TTL_MS - 1;
  expect((await store.loads(['r1'])).size).toBe(1);
  now += 1;
  expect((await store.loads(['r1'])).size).toBe(0);
});

describe('in Redis', () => {
  let store: RedisStore;
  const key = (router: string): string => `{loads-${prefix}}:load:${router}`;
  beforeEach(() => {
    store = redisStore();
    onTestFinished(async () => await store.close());
  });

  test('a load expires by itself', async () => {
    await store.tellLoad('r1', [A]);
    const left = Number((await redis.command(`PTTL ${key('r1')}`)).replace(':', ''));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(LOAD_TTL_MS);
  });

  test.each([
    ['no JSON', '{"version":1'],
    ['another version', '{"version":2,"homes":[],"rps":[],"concurrency":[],"tunnels":[]}'],
    ['columns of different lengths', '{"version":1,"homes":["a"],"rps":[],"concurrency":[1],"tunnels":[1]}'],
    ['a negative load', '{"version":1,"homes":["a"],"rps":[-1],"concurrency":[1],"tunnels":[1]}'],
    ['a load without bounds', '{"version":1,"homes":["a"],"rps":[1e300],"concurrency":[1],"tunnels":[1]}'],
    ['a load that is text', '{"version":1,"homes":["a"],"rps":["9"],"concurrency":[1],"tunnels":[1]}'],
    ['a list', '[]'],
  ])('a machine that told %s is not counted, and the others are', async (_, text) => {
    await store.tellLoad('r2', [B]);
    await redis.command(`SET ${key('r1')} '${text}'`);
    expect(await store.loads(['r1', 'r2'])).toEqual(new Map([['r2', [B]]]));
    expect(store.malformedCount()).toBe(1);
  });

  test('columns that a newer release adds are passed over', async () => {
    const text =
      '{"version":1,"homes":["cell-b"],"rps":[0.25],"concurrency":[0],"tunnels":[900],"bytes":[7]}';
    await redis.command(`SET ${key('r1')} '${text}'`);
    expect(await store.loads(['r1'])).toEqual(new Map([['r1', [B]]]));
  });

  test('a key of another type is no load', async () => {
    await redis.command(`SADD ${key('r1')} x`);
    expect(await store.loads(['r1'])).toEqual(new Map());
  });

  test('without Redis it is unknown, and not none', async () => {
    const lost = createRedisStore({ url: 'redis://127.0.0.1:1', prefix: 'lost', timeoutMs: 200 });
    onTestFinished(async () => await lost.close());
    await expect(lost.loads(['r1'])).rejects.toThrow(StoreUnavailable);
    await expect(lost.tellLoad('r1', [])).rejects.toThrow(StoreUnavailable);
  });
});
