// The shared store over the other forms of Redis: a Cluster, a Redis behind a Sentinel, and one behind TLS.
import { expect, onTestFinished, test } from 'vitest';
import { startChaosProxy } from '../../loadtest/stubs/chaos-proxy.ts';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { DOWN, homesOf, machineOf, UP } from '../support/machine.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const BOTH_UP = { 'cell-a': UP, 'cell-b': UP };
/** Up, and not caught up: nobody is brought home. */
const BOTH_UP_LATER = { 'cell-a': { ...UP, caughtUp: false }, 'cell-b': UP };
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

/** A master, and a replica whose line to it can be cut; a Sentinel that watches both. */
async function startReplicated() {
  const master = await start({});
  const line = await startChaosProxy({ target: master.port });
  onTestFinished(async () => await line.close());
  const replica = await start({ args: ['--replicaof', `127.0.0.1 ${line.port}`] });
  await until('the replica follows', async () =>
    (await replica.command('INFO replication')).includes('master_link_status:up'),
  );
  const sentinel = await start({ sentinelOf: master.port });
  await until('the Sentinel knows the replica', async () =>
    (await sentinel.command('SENTINEL REPLICAS main')).includes(String(replica.port)),
  );
  return { master, line, replica, sentinel };
}

test('after a Sentinel failover that lost the last write the record is brought back, whole', async () => {
  const { master, line, replica, sentinel } = await startReplicated();
  const store = open(`redis+sentinel://127.0.0.1:${sentinel.port}/main`);
  const machines = ['r1', 'r2'].map((id) => machineOf(store, id, PAIR));
  const beatAll = async (votes: typeof A_DOWN | typeof BOTH_UP): Promise<void> => {
    for (const machine of machines) await machine.beat(votes);
  };
  await until('beats go through', async () => await beatAll(BOTH_UP).then(() => true));
  await until('the replica has the state', async () =>
    (await replica.command('HEXISTS {forms}:state incarnation')).startsWith(':1'),
  );
  await line.mode('black-hole');
  await beatAll(A_DOWN);
  await beatAll(A_DOWN);
  const before = machines.map(({ records }) => records.get('cell-a'));
  expect(before).toMatchObject([{ state: 'failed-over', epoch: 2 }, { epoch: 2 }]);
  await master.kill('SIGKILL');
  await until('the replica leads, without the record', async () =>
    (await replica.command('ROLE')).includes('master'),
  );
  expect(await replica.command('HEXISTS {forms}:state record:cell-a')).toMatch(/^:0/);

  // All that votes now finds the cell up: only what the machines remember says that its tenants are away.
  await until('beats go through again', async () => await beatAll(BOTH_UP_LATER).then(() => true));
  await until('the record is back', async () =>
    (await replica.command('HGET {forms}:state record:cell-a')).includes('"epoch":2'),
  );
  const [kept] = before;
  for (const { records } of machines) expect(records.get('cell-a')).toEqual(kept);
});
