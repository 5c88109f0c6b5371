// The shared store over the other forms of Redis: a Cluster, and a Redis behind a Sentinel.
import { expect, onTestFinished, test } from 'vitest';
import { createRedisStore, type RedisStore } from '../../router/health/redis-store.ts';
import { DOWN, homesOf, machineOf, UP } from '../support/machine.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const PAIR = homesOf('cell-a', 'cell-b');

async function start(options: Parameters<typeof startRedis>[0]): Promise<RedisProcess> {
  const redis = await startRedis(options);
  onTestFinished(async () => await redis.stop());
  return redis;
}

function open(url: string): RedisStore {
  const store = createRedisStore({ url, prefix: 'forms', timeoutMs: 500, warmUpMs: 0 });
  onTestFinished(async () => await store.close());
  return store;
}

/** A Cluster of one member that holds all slots. */
async function startCluster(): Promise<RedisProcess> {
  const busPort = String(await freePort());
  const redis = await start({
    args: ['--cluster-enabled', 'yes', '--cluster-port', busPort, '--cluster-announce-ip', '127.0.0.1'],
  });
  await redis.command('CLUSTER ADDSLOTSRANGE 0 16383');
  await clusterReady(redis);
  return redis;
}

async function clusterReady(redis: RedisProcess): Promise<void> {
  await until('the Cluster is up', async () =>
    (await redis.command('CLUSTER INFO')).includes('cluster_state:ok'),
  );
}

/** Beats until a verdict is heard over the subscription too, and read from the audit log. */
async function verdictGoesThrough(store: RedisStore): Promise<void> {
  const heard: number[] = [];
  let ready = false;
  store.subscribe(
    (_, revision) => heard.push(revision),
    () => (ready = true),
  );
  await until('subscribed', () => ready);
  const r1 = machineOf(store, 'r1', PAIR);
  await until('a beat goes through', async () => await r1.beat(A_DOWN));
  expect(r1.state('cell-a')).toBe('failed-over');
  await until('the change is heard', () => heard.length > 0);
  expect(await store.events(5)).toMatchObject([{ cell: 'cell-a', to: 'failed-over' }]);
  await store.leave('r1');
}

test('a verdict goes through a Cluster', async () => {
  const redis = await startCluster();
  await verdictGoesThrough(open(`redis+cluster://127.0.0.1:${redis.port}`));
});

test('a Cluster that was killed and came back empty gets the records back', async () => {
  const redis = await startCluster();
  const r1 = machineOf(open(`redis+cluster://127.0.0.1:${redis.port}`), 'r1', PAIR);
  await until('a beat goes through', async () => await r1.beat(A_DOWN));
  await redis.restart();
  await clusterReady(redis);
  const reply = await until('a beat goes through again', async () => await r1.beat(A_DOWN));
  expect(reply.records).toMatchObject([{ home: 'cell-a', epoch: 2 }]);
});

test('a frozen Cluster is refused within the bound, and works again once it thaws', async () => {
  const redis = await startCluster();
  const r1 = machineOf(open(`redis+cluster://127.0.0.1:${redis.port}`), 'r1', PAIR);
  await until('a beat goes through', async () => await r1.beat(A_DOWN));
  await redis.kill('SIGSTOP');
  await expect(r1.beat(A_DOWN)).rejects.toThrow('Redis did not answer within 500 ms');
  await redis.kill('SIGCONT');
  await until('a beat goes through again', async () => await r1.beat(A_DOWN));
});

test('a verdict goes through a Redis that a Sentinel names', async () => {
  const redis = await start({});
  const sentinel = await start({ sentinelOf: redis.port });
  await verdictGoesThrough(open(`redis+sentinel://127.0.0.1:${sentinel.port}/main`));
});
