// Routers of two releases side by side, and what one keeps of the other's in Redis.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { initialRecord } from '../../router/health/record.ts';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import type { Change } from '../../router/health/store.ts';
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
  requiresStandby: false,
  override: [],
};

const DRAIN: Change = {
  ...WISH,
  wish: { kind: 'share', percent: 50 },
  cause: 'operator',
  handoverMs: 2_000,
  override: ['target-up'],
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
  await expect(old.failOver(WISH)).rejects.toMatchObject({ name: 'StoreUnavailable', trouble: 'passive' });
  expect(await ask(`HLEN ${STATE}`)).toBe(before);
  expect(await ask('EXISTS {releases}:refused:cell-a:2')).toBe(':0\r\n');
  expect((await r2.beat(A_UP)).routers.map(({ id }) => id)).toEqual(['r1', 'r2']);
});

test('while a machine lives that does not speak of handovers, none begins', async () => {
  const [old, young] = [open(1), open()];
  const [r1, r2] = [machine(old, 'r1'), machine(young, 'r2')];
  await r2.beat(A_DOWN);
  await r1.beat(A_UP);
  expect(await young.change(DRAIN)).toEqual({ refused: 'old-routers', rule: null });
  await r2.beat(A_UP);
  expect(r2.records.get('cell-a')).toMatchObject({ state: 'failed-over', epoch: 2 });
  await old.leave('r1');
  await r2.beat(A_UP);
  expect(r2.records.get('cell-a')).toMatchObject({ state: 'returning', phase: 'closing', epoch: 3 });
});

test('a planned change shuts an older release out at once', async () => {
  const [old, young] = [open(1), open()];
  const [r1, r2] = [machine(old, 'r1'), machine(young, 'r2')];
  await r1.beat(A_UP);
  await r2.beat(A_UP);
  await old.leave('r1');
  expect(await young.change(DRAIN)).toMatchObject({ record: { phase: 'closing' } });
  expect(await r1.beat(A_UP)).toMatchObject({ passive: true });
});

test('a record of a release before handovers is decided upon like any other', async () => {
  const store = open();
  const {
    changing: _,
    returned: __,
    relapses: ___,
    undone: ____,
    handover: _____,
    ...before
  } = awayRecord('cell-a', 'cell-b', 4);
  await ask(`HSET ${STATE} record:cell-a ${JSON.stringify(JSON.stringify(before))}`);
  const r1 = machine(store, 'r1');
  await r1.beat(A_DOWN);
  expect(r1.records.get('cell-a')).toEqual(awayRecord('cell-a', 'cell-b', 4));
  await r1.beat(A_UP);
  expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', share: 90, epoch: 5, relapses: 0 });
});

const LATER = { list: [], text: 'a "}],{ ü', big: 2 ** 52 + 1, none: null, deep: { a: [{ b: {} }] } };

test('changes keep the fields of a record that this release does not know', async () => {
  const store = open();
  const { home, ...rest } = awayRecord('cell-a', 'cell-b', 4);
  // Neither in the order in which this release writes them.
  await store.restore([Object.assign({ later: LATER, home }, rest)], 4);
  await store.restore([Object.assign(awayRecord('cell-b', 'cell-c', 4), { later: LATER })], 5);
  const r1 = machine(store, 'r1');
  await r1.beat({ 'cell-a': UP, 'cell-b': UP, 'cell-c': UP });
  expect(r1.records.get('cell-a')).toMatchObject({ later: LATER, phase: 'closing', epoch: 5 });
  expect(r1.records.get('cell-b')).toMatchObject({ later: LATER, phase: 'closing', epoch: 5 });
  r1.confirming = 'ready';
  await r1.beat({});
  expect(r1.records.get('cell-a')).toMatchObject({ later: LATER, phase: 'open', share: 90, epoch: 6 });
  await r1.beat(A_DOWN);
  expect(r1.records.get('cell-a')).toMatchObject({ later: LATER, state: 'failed-over', epoch: 7, moved: [] });
});

test('an undo puts pins and moves back letter by letter, what later releases keep in them too', async () => {
  const store = open();
  const pins = { 'a "}],{ ü/': { cell: 'cell-b', until: 9_000_000_000_000, later: LATER } };
  const moved = [
    { buckets: [0, 9], to: 'cell-c', generation: 2 ** 52 + 1, later: LATER },
    { tenant: 'acme', to: 'cell-c' },
  ];
  await store.restore([Object.assign(awayRecord('cell-a', 'cell-b', 4), { pins, moved, later: LATER })], 4);
  const r1 = machineOf(store, 'r1', homesOf('cell-a', 'cell-b'), { handoverMs: 0 });
  await r1.beat(A_UP);
  expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', epoch: 5 });
  await r1.beat({ 'cell-a': { ...UP, caughtUp: false }, 'cell-b': UP });
  expect(r1.records.get('cell-a')).toMatchObject({ phase: 'open', share: 100, epoch: 6, undone: 1 });
  const stored = await ask(`HGET ${STATE} record:cell-a`);
  for (const kept of [pins, moved, LATER]) expect(stored).toContain(`:${JSON.stringify(kept)}`);
});

test('a pin and a cut-over leave what is beside them letter by letter', async () => {
  const store = open();
  const kept = { cell: 'cell-a', until: 9_000_000_000_000, later: LATER };
  const bolt = { tenant: 'bolt', to: 'cell-c', later: LATER };
  const range = { buckets: [0, 99], to: 'cell-c', generation: 2, later: LATER };
  await store.restore(
    [Object.assign(initialRecord('cell-a', 'cell-b'), { epoch: 2, pins: { kept }, moved: [bolt, range] })],
    1,
  );
  const r1 = machine(store, 'r1');
  r1.confirming = 'ready';
  await r1.beat(A_UP);
  const pin = { kind: 'pin', tenant: 'kept/2', cell: 'cell-a' } as const;
  expect(await store.change({ ...DRAIN, wish: pin })).toMatchObject({ record: { phase: 'open', epoch: 3 } });
  expect(await ask(`HGET ${STATE} record:cell-a`)).toContain(`"pins":{"kept":${JSON.stringify(kept)},"kept`);
  for (const tenant of ['kept', 'kept/2']) {
    await store.change({ ...DRAIN, wish: { kind: 'pin', tenant, cell: null } });
  }
  const buckets: [number, number][] = [[40, 49]];
  const wish = { kind: 'cut-over', to: 'cell-b', buckets, tenants: ['acme'], generation: 3 } as const;
  await store.change({ ...DRAIN, wish: { ...wish, tenants: ['acme'] } });
  const stored = await ask(`HGET ${STATE} record:cell-a`);
  for (const entry of [bolt, range]) expect(stored).toContain(JSON.stringify(entry));
  await r1.beat(A_UP);
  expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', pins: {} });
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
  await expect(store.failOver(WISH)).rejects.toMatchObject({ name: 'StoreUnavailable', trouble: 'behind' });
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
