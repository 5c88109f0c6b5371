// What becomes of a write that Redis had told of, and lost as a replica without it took over: same state, same name.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import type { Change, FailOver } from '../../router/health/store.ts';
import { homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const PREFIX = 'lost-writes';
const STATE = `{${PREFIX}}:state`;
const ALL_UP = { 'cell-a': UP, 'cell-b': UP };
const WISH: FailOver = {
  home: 'cell-a',
  neighbour: 'cell-b',
  actor: 'ada',
  reason: 'test',
  owner: 'core',
  expiresInMs: 60_000,
  requiresStandby: false,
  override: [],
};
const DRAIN: Change = {
  ...WISH,
  wish: { kind: 'share', percent: 100 },
  cause: 'operator',
  handoverMs: 60_000,
};

let redis: RedisProcess;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(async () => await redis.stop());
});

function open(): RedisStore {
  const store = createRedisStore({ url: redis.url, prefix: PREFIX, warmUpMs: 0 });
  onTestFinished(async () => await store.close());
  return store;
}

function machine(store: RedisStore, id: string): Machine {
  return machineOf(store, id, homesOf('cell-a', 'cell-b'));
}

/** Redis is again as it was before anything happened to `cell-a`. */
async function takeBack(): Promise<void> {
  await redis.command(`HDEL ${STATE} record:cell-a`);
  await redis.command(`HSET ${STATE} revision 0`);
}

/** What is stored of `cell-a`. */
async function stored(): Promise<string> {
  return await redis.command(`HGET ${STATE} record:cell-a`);
}

test('a closing record that was published, and lost before any beat read it, is brought back', async () => {
  const [store, other] = [open(), open()];
  const r1 = machine(store, 'r1');
  let subscribed = false;
  store.subscribe(
    (records) => records.forEach((record) => r1.records.set(record.home, record)),
    () => (subscribed = true),
  );
  await until('it is subscribed', () => subscribed);
  await r1.beat(ALL_UP);
  expect(await other.change(DRAIN)).toMatchObject({ record: { phase: 'closing', epoch: 2 } });
  await until('it is published', () => r1.records.size > 0);
  await takeBack();
  expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: true, records: [] });
  expect(await stored()).toMatch(/"phase":"closing".*"epoch":2/);
  expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: false, records: [{ epoch: 2 }] });
});

test('nothing is decided for an operator on a state that lost what one was answered', async () => {
  const store = open();
  const r1 = machine(store, 'r1');
  await r1.beat(ALL_UP);
  const answer = await store.failOver(WISH);
  if ('record' in answer) r1.records.set('cell-a', answer.record);
  await takeBack();
  await expect(store.change(DRAIN)).rejects.toThrow('the store lost records');
  expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: true });
  expect(await stored()).toMatch(/"state":"failed-over".*"epoch":2/);
});

test('a handover that a machine confirms, and the state does not know, is brought back', async () => {
  const r1 = machine(open(), 'r1');
  const answer = await machineThatAsks();
  await takeBack();
  await r1.beat(ALL_UP);
  r1.records.set('cell-a', answer);
  r1.confirming = 'ready';
  expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: true });
  expect(await stored()).toMatch(/"phase":"closing".*"epoch":2/);

  async function machineThatAsks() {
    const store = open();
    await machine(store, 'r1').beat(ALL_UP);
    const begun = await store.change(DRAIN);
    if (!('record' in begun)) throw new Error(begun.refused);
    return begun.record;
  }
});

test('a revision that no store comes to is not believed', async () => {
  const store = open();
  let subscribed = false;
  store.subscribe(
    () => {},
    () => (subscribed = true),
  );
  await until('it is subscribed', () => subscribed);
  const r1 = machine(store, 'r1');
  await r1.beat(ALL_UP);
  const message = JSON.stringify(`{"revision":${Number.MAX_SAFE_INTEGER},"records":[{}]}`);
  await redis.command(`PUBLISH {${PREFIX}}:changes ${message}`);
  await until('it is heard', () => store.malformedCount() === 1);
  expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: false });
});
