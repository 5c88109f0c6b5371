// Routers of two releases side by side, and what one keeps of the other's in Redis.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createRedisStore, type RedisStore } from '../../router/health/redis-store.ts';
import { StoreUnavailable } from '../../router/health/store.ts';
import { awayRecord, DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';

const STATE = '{releases}:state';
const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };
const WISH = {
  home: 'cell-a',
  neighbour: 'cell-b',
  actor: 'ada',
  reason: '',
  owner: '',
  expiresInMs: 0,
  override: [],
};

let redis: RedisProcess;
const ask = async (line: string): Promise<string> => await redis.command(line);

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(async () => await redis.stop());
});

function open(protocol?: number): RedisStore {
  const setting = { url: redis.url, prefix: 'releases', warmUpMs: 0 };
  const store = createRedisStore(protocol === undefined ? setting : { ...setting, protocol });
  onTestFinished(async () => await store.close());
  return store;
}

function machine(store: RedisStore, id: string): Machine {
  return machineOf(store, id, homesOf('cell-a', 'cell-b'));
}

test('the state is led by the older protocol until every live machine speaks the newer one', async () => {
  const [old, young] = [open(1), open(2)];
  const [r1, r2] = [machine(old, 'r1'), machine(young, 'r2')];
  await r1.beat(A_UP);
  await r2.beat(A_UP);
  expect(await ask(`HGET ${STATE} protocol`)).toContain('\r\n1\r\n');
  expect((await r1.beat(A_UP)).passive).toBe(false);
  await old.leave('r1');
  await r2.beat(A_UP);
  expect(await ask(`HGET ${STATE} protocol`)).toContain('\r\n2\r\n');
});

test('an older release votes and reads in a newer state, and decides and writes nothing else', async () => {
  const [old, young] = [open(1), open(2)];
  const [r1, r2] = [machine(old, 'r1'), machine(young, 'r2')];
  await r2.beat(A_DOWN);
  await ask('HDEL {releases}:routers r2');
  const before = await ask(`HLEN ${STATE}`);
  const reply = await r1.beat(A_UP, [{ home: 'cell-a', epoch: 2, marks: ['acme:1'] }]);
  expect(reply).toMatchObject({ passive: true, behind: false, records: [{ state: 'failed-over' }] });
  await old.restore([awayRecord('cell-b', 'cell-a', 9)], 1);
  await expect(old.failOver(WISH)).rejects.toThrow(StoreUnavailable);
  expect(await ask(`HLEN ${STATE}`)).toBe(before);
  expect(await ask('EXISTS {releases}:refused:cell-a:2')).toBe(':0\r\n');
  expect((await r2.beat(A_UP)).routers.map(({ id }) => id)).toEqual(['r1', 'r2']);
  expect(r2.state('cell-a')).toBe('serving');
});

test('a change keeps the fields of a record that this release does not know', async () => {
  const store = open();
  const later = { list: [], text: 'a "}],{ ü', big: 2 ** 52 + 1, none: null, deep: { a: [{ b: {} }] } };
  const known = awayRecord('cell-a', 'cell-b', 4);
  const { home, ...rest } = known;
  // Neither in the order in which this release writes them.
  await store.restore([Object.assign({ later, home }, rest)], 4);
  await store.restore([Object.assign(awayRecord('cell-b', 'cell-c', 4), { later })], 5);
  const r1 = machine(store, 'r1');
  await r1.beat({ 'cell-a': UP, 'cell-b': UP, 'cell-c': UP });
  expect(r1.records.get('cell-a')).toMatchObject({ later, state: 'serving', epoch: 5 });
  expect(r1.records.get('cell-b')).toMatchObject({ later, state: 'serving', epoch: 5 });
  await r1.beat(A_DOWN);
  await r1.beat(A_DOWN);
  expect(r1.records.get('cell-a')).toMatchObject({ later, state: 'failed-over', epoch: 6, moved: [] });
});

test('a record that is damaged behind its beginning does not keep a verdict from being given', async () => {
  const store = open();
  const r1 = machine(store, 'r1');
  await r1.beat(A_DOWN);
  await r1.beat(A_UP);
  const damaged = JSON.stringify(r1.records.get('cell-a')).slice(0, -9);
  await ask(`HSET ${STATE} record:cell-a ${JSON.stringify(damaged)}`);
  await r1.beat(A_DOWN);
  await r1.beat(A_DOWN);
  expect(r1.records.get('cell-a')).toMatchObject({ state: 'failed-over', epoch: 4, pins: {}, moved: [] });
});

test('a ledger of another type does not keep a verdict from being given, and counts nothing', async () => {
  const store = open();
  await ask('SET {releases}:refused:cell-a:1 hello');
  const r1 = machine(store, 'r1');
  await r1.beat(A_DOWN, [{ home: 'cell-a', epoch: 1, marks: ['acme:1'] }]);
  await r1.beat(A_DOWN);
  expect(r1.state('cell-a')).toBe('failed-over');
  expect(await store.events(1)).toMatchObject([{ tenantSecondsRefused: null }]);
});

test('a ledger is kept for a week', async () => {
  await machine(open(), 'r1').beat(A_UP, [{ home: 'cell-a', epoch: 1, marks: ['acme:1'] }]);
  expect(await ask('TTL {releases}:refused:cell-a:1')).toMatch(/^:6048|^:6047/);
});

test('an operator is refused while the store has lost records that machines still hold', async () => {
  const store = open();
  await machine(store, 'r1').beat(A_UP);
  await ask('FLUSHALL');
  await expect(store.failOver(WISH)).rejects.toThrow('lost records');
});

test('a state that is lost alone decides nothing at first, though machines still beat', async () => {
  let now = 1_790_000_000_000;
  const store = createRedisStore({ url: redis.url, prefix: 'releases', now: () => now });
  onTestFinished(async () => await store.close());
  const r1 = machine(store, 'r1');
  for (let i = 0; i < 4; i += 1) {
    await r1.beat(A_UP);
    now += 1_000;
  }
  await ask(`DEL ${STATE}`);
  expect(await r1.beat(A_DOWN)).toMatchObject({ records: [], held: [{ why: 'warming-up' }] });
});

test('a store that was silent decides nothing at first', async () => {
  const store = createRedisStore({ url: redis.url, prefix: 'releases' });
  onTestFinished(async () => await store.close());
  expect(await machine(store, 'r1').beat(A_DOWN)).toMatchObject({
    records: [],
    held: [{ why: 'warming-up' }],
  });
});
