// What becomes of the shared store when Redis is gone, frozen, slow or empty, or holds keys and messages of somebody else.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { StoreUnavailable } from '../../router/health/store.ts';
import { awayRecord, DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const PREFIX = 'faults';
const STATE = `{${PREFIX}}:state`;
const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };

let redis: RedisProcess;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(async () => await redis.stop());
});

function open(url = redis.url, timeoutMs = 200): RedisStore {
  const store = createRedisStore({ url, prefix: PREFIX, timeoutMs, warmUpMs: 0 });
  onTestFinished(async () => await store.close());
  return store;
}

function machine(store: RedisStore, id = 'r1'): Machine {
  return machineOf(store, id, homesOf('cell-a', 'cell-b'));
}

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreUnavailable);
  return error instanceof Error ? error.message : '';
}

/** `HGET`, `SET` … of Redis itself, over the connection of a test. */
const ask = async (line: string): Promise<string> => await redis.command(line);

test('a store opens while Redis is absent, and works once it is there', async () => {
  await redis.kill('SIGKILL');
  const r1 = machine(open());
  expect(await refusal(r1.beat(A_UP))).toBe('Redis is not connected');
  await redis.restart();
  await until('a beat goes through', async () => await r1.beat(A_UP));
});

test('the first call after opening waits for the connection', async () => {
  expect((await machine(open()).beat(A_UP)).routers).toHaveLength(1);
});

test('every call is refused while Redis is killed', async () => {
  const store = open();
  await machine(store).beat(A_UP);
  await redis.kill('SIGKILL');
  const calls = [
    machine(store).beat(A_UP),
    store.restore([awayRecord('cell-a', 'cell-b', 2)], 1),
    store.leave('r1'),
    store.events(1),
  ];
  for (const call of calls) expect(await refusal(call)).not.toContain(String(redis.port));
});

test('a Redis that came back empty is behind, and gets the records back with their epochs', async () => {
  const r1 = machine(open());
  await r1.beat(A_DOWN);
  await redis.restart();
  const behind = await until('a beat goes through', async () => await r1.beatOnce(A_DOWN));
  expect(behind).toMatchObject({ behind: true, revision: 0, records: [] });
  const reply = await r1.beatOnce(A_DOWN);
  expect(reply).toMatchObject({
    behind: false,
    records: [{ home: 'cell-a', state: 'failed-over', epoch: 2 }],
  });
});

test('a flushed Redis is behind, and gets the records back', async () => {
  const r1 = machine(open());
  const { incarnation } = await r1.beat(A_DOWN);
  await ask('FLUSHALL');
  const reply = await r1.beat(A_DOWN);
  expect(reply.incarnation).not.toBe(incarnation);
  expect(reply.records).toMatchObject([{ home: 'cell-a', state: 'failed-over', epoch: 2 }]);
});

test('a Redis that forgot the scripts is sent them again', async () => {
  const r1 = machine(open());
  await r1.beat(A_UP);
  await ask('SCRIPT FLUSH');
  expect((await r1.beat(A_DOWN)).records).toHaveLength(1);
});

test('a frozen Redis is refused within the bound, and works again once it thaws', async () => {
  const r1 = machine(open());
  await r1.beat(A_UP);
  await redis.kill('SIGSTOP');
  expect(await refusal(r1.beat(A_UP))).toBe('Redis did not answer within 200 ms');
  await redis.kill('SIGCONT');
  await until('a beat goes through', async () => await r1.beat(A_UP));
});

test('a beat that a frozen Redis reads after its bound does not count', async () => {
  const r1 = machine(open());
  await r1.beat(A_UP);
  await redis.kill('SIGSTOP');
  const sentAt = performance.now();
  await refusal(r1.beat(A_DOWN));
  await until('the beat is too late for certain', () => performance.now() - sentAt > 250);
  await redis.kill('SIGCONT');
  const calls = async (): Promise<string> => await ask('INFO commandstats');
  await until('the late beat is read', async () => /cmdstat_evalsha:calls=2,/.test(await calls()));
  expect(await ask(`HGET {${PREFIX}}:routers r1`)).not.toContain('down');
  expect(await ask(`HEXISTS ${STATE} record:cell-a`)).toBe(':0\r\n');
});

test('a slow Redis is refused within the bound, and works again once it is quick', async () => {
  const r1 = machine(open());
  await r1.beat(A_UP);
  await ask('CLIENT PAUSE 1000 ALL');
  await refusal(r1.beat(A_UP));
  await until('a beat goes through', async () => await r1.beat(A_UP));
});

test('closing does not wait for a frozen Redis', async () => {
  const store = open();
  store.subscribe(
    () => {},
    () => {},
  );
  await machine(store).beat(A_UP);
  await redis.kill('SIGSTOP');
  await store.close();
});

test('a closed store refuses calls', async () => {
  const store = open();
  await store.close();
  await refusal(store.events(1));
});

test('a subscriber is told that it may have missed something each time it is connected again', async () => {
  const store = open();
  const heard: number[] = [];
  let stale = 0;
  store.subscribe(
    (_, revision) => heard.push(revision),
    () => (stale += 1),
  );
  await until('it is subscribed', () => stale === 1);
  await redis.restart();
  await until('it is subscribed again', () => stale === 2);
  const r1 = machine(store);
  await until('a change is heard', async () => {
    await r1.beat(A_DOWN);
    return heard.length > 0;
  });
});

test('a subscriber whose Redis was frozen is connected anew', async () => {
  const store = open();
  let stale = 0;
  store.subscribe(
    () => {},
    () => (stale += 1),
  );
  await until('it is subscribed', () => stale === 1);
  await machine(store).beat(A_UP);
  await redis.kill('SIGSTOP');
  await refusal(store.events(1));
  await redis.kill('SIGCONT');
  await until('it is subscribed again', () => stale > 1);
});

test('a key of another type is refused, by its code alone', async () => {
  await ask(`SET ${STATE} secret`);
  expect(await refusal(machine(open()).beat(A_UP))).toBe('Redis refused: WRONGTYPE');
});

test('a malformed message is dropped and counted', async () => {
  const store = open();
  const heard: number[] = [];
  let ready = false;
  store.subscribe(
    (_, revision) => heard.push(revision),
    () => (ready = true),
  );
  await until('subscribed', () => ready);
  await ask(`PUBLISH {${PREFIX}}:changes hello`);
  await ask(`PUBLISH {${PREFIX}}:changes ${JSON.stringify('{"revision":3,"records":[{}]}')}`);
  await until('both are counted', () => store.malformedCount() === 2);
  expect(heard).toEqual([]);
});

test('a malformed event is left out and counted', async () => {
  const store = open();
  await machine(store).beat(A_DOWN);
  await ask(`XADD {${PREFIX}}:events * event hello`);
  await ask(`XADD {${PREFIX}}:events * other hello`);
  expect(await store.events(10)).toMatchObject([{ cell: 'cell-a' }]);
  expect(store.malformedCount()).toBe(2);
});

test('a wrong password is refused without being repeated, a right one works', async () => {
  await ask('CONFIG SET requirepass s3cret');
  const wrong = redis.url.replace('://', '://:wr0ng@');
  expect(await refusal(machine(open(wrong)).beat(A_UP))).not.toMatch(/wr0ng|s3cret/);
  await machine(open(redis.url.replace('://', '://:s3cret@'))).beat(A_UP);
});
