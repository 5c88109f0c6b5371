// What becomes of the shared store when a record or a beat in Redis is not what it should be.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { awayRecord, DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';

const PREFIX = 'damage';
const STATE = `{${PREFIX}}:state`;
const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };

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

function machine(store: RedisStore, id = 'r1'): Machine {
  return machineOf(store, id, homesOf('cell-a', 'cell-b'));
}

const ask = async (line: string): Promise<string> => await redis.command(line);

const FROM = {
  state: 'failed-over',
  target: 'cell-b',
  operation: null,
  deadline: null,
  cause: null,
  pins: {},
  moved: [],
};
const HANDOVER = { until: 2_000, actor: 'quorum', reason: '', to: null, from: FROM };

/** A record of a home that is away, with something else in some fields. */
function awayBut(fields: Partial<Record<keyof HealthRecord | 'later', unknown>>): string {
  return JSON.stringify({ ...awayRecord('cell-a', 'cell-b', 9), ...fields });
}

test.each([
  ['no JSON', 'hello'],
  ['no record', '{}'],
  ['the record of another home', JSON.stringify(awayRecord('cell-b', 'cell-a', 9))],
  ['a target that is neither home nor neighbour', awayBut({ target: 'x' })],
  ['an epoch that is no number', awayBut({ epoch: '9' })],
  [
    'no more than who serves it',
    '{"home":"cell-a","neighbour":"cell-b","state":"failed-over","target":"cell-b","epoch":9}',
  ],
  ['a share beyond all', awayBut({ share: 101 })],
  ['a list that is none', awayBut({ moved: 'x' })],
  ['a list of something else', awayBut({ moved: [[1], 'x'] })],
  ['a pin to nowhere', awayBut({ pins: { acme: { until: 9 } } })],
  ['buckets that are none', awayBut({ changing: { tenants: [], buckets: [[0, 65_536]] } })],
  ['less than no relapses', awayBut({ relapses: -1 })],
  ['a return that is no time', awayBut({ returned: 'then' })],
  ['a handover without an end', awayBut({ phase: 'closing', handover: {} })],
  [
    'a handover from nothing',
    awayBut({ phase: 'closing', handover: { ...HANDOVER, from: { ...FROM, pins: null } } }),
  ],
  ['a time without a number', awayBut({ since: 'then' })],
  ['a list of pins', awayBut({ pins: [] })],
  ['an object of what was moved', awayBut({ moved: {} })],
  ['an object of tenants that change', awayBut({ changing: { tenants: {}, buckets: [] } })],
  ['an object of buckets that change', awayBut({ changing: { tenants: [], buckets: {} } })],
  [
    'a list of pins before',
    awayBut({ phase: 'closing', handover: { ...HANDOVER, from: { ...FROM, pins: [] } } }),
  ],
  [
    'an object of what was moved before',
    awayBut({ phase: 'closing', handover: { ...HANDOVER, from: { ...FROM, moved: {} } } }),
  ],
  ['a cause that is none', awayBut({ cause: 'weather' })],
  ['a cell without a name', awayBut({ pins: { acme: { cell: '', until: 9 } } })],
  ['a cell whose name is too long', awayBut({ pins: { acme: { cell: 'c'.repeat(257), until: 9 } } })],
  [
    'a cell whose name JavaScript finds too long',
    awayBut({ moved: [{ tenant: 'a', to: '😀'.repeat(129) }] }),
  ],
  ...['0x9', '09', '+9', '9.', 'nan', 'inf'].map((number) => [
    `a number like ${number}`,
    awayBut({}).replace('"relapses":0', `"relapses":0,"later":${number}`),
  ]),
  ['a list of pins, written with spaces', awayBut({ pins: [] }).replace('"pins":[', '"pins" : [')],
  ['a list of pins, its name in escapes', awayBut({ pins: [] }).replace('"pins"', String.raw`"p\u0069ns"`)],
  ['a line break within a text', awayBut({ position: 'a;b' }).replace('a;b', 'a\nb')],
  ['an epoch without end', awayBut({}).replace('"epoch":9', '"epoch":1e999')],
])('a damaged record counts as lost, and is brought back: %s', async (_, damage) => {
  const r1 = machine(open());
  await r1.beat(A_DOWN);
  await ask(`HSET ${STATE} record:cell-a ${JSON.stringify(damage)}`);
  expect(await r1.beatOnce(A_DOWN)).toMatchObject({ behind: true, records: [] });
  expect((await r1.beatOnce(A_DOWN)).records).toMatchObject([{ home: 'cell-a', epoch: 2 }]);
});

test.each([
  ['a tenant that is called like a list', { pins: { moved: { cell: 'cell-a', until: 9_000_000_000_000 } } }],
  ['texts that look like something else', { position: '"pins":[], 0x9, 09, +9 "moved":{}' }],
  ['a cell whose name is long in UTF-8 alone', { moved: [{ tenant: 'a', to: 'ä'.repeat(256) }] }],
  ['fractions and exponents', { later: [1.5e-7, -1, 0, 10, 1e21, true, false, null] }],
  ['a text that holds DEL, which JSON lets stand', { position: 'a\u007fb' }],
  ['a text in quotes', { position: '"a"' }],
])('a record with %s is none that is damaged', async (_, fields) => {
  const r1 = machine(open());
  await ask(`HSET ${STATE} record:cell-a ${JSON.stringify(awayBut(fields))}`);
  expect((await r1.beat(A_DOWN)).records).toMatchObject([{ epoch: 9, ...fields }]);
});

test('a record that only looks right is left out and counted', async () => {
  const store = open();
  // Nobody is away: it is not looked into while nothing happens.
  const record = { ...initialRecord('cell-a', 'cell-b'), epoch: 9, cause: 'weather' };
  await ask(`HSET ${STATE} record:cell-a ${JSON.stringify(JSON.stringify(record))}`);
  expect((await machine(store).beat(A_UP)).records).toEqual([]);
  expect(store.malformedCount()).toBe(1);
});

test.each(['hello', '1 hello', '1790000000000 {"votes":1}'])(
  'a machine that wrote %j instead of a beat is forgotten',
  async (damage) => {
    const store = open();
    await ask(`HSET {${PREFIX}}:routers r9 ${JSON.stringify(damage)}`);
    expect((await machine(store).beat(A_DOWN)).routers.map(({ id }) => id)).toEqual(['r1']);
  },
);

/** Begins a way home that r1 confirms and r9 confirms like this (JSON); answers the epoch that it has come to. */
async function epochAfter(confirmations: string): Promise<number | undefined> {
  const r1 = machine(open());
  r1.confirming = 'ready';
  await r1.beat(A_DOWN);
  await r1.beat(A_UP);
  expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', epoch: 3 });
  const head = `{"fleetDigest":"digest","protocol":2,"confirmations":${confirmations}}`;
  const [seconds = '0'] = (await ask('TIME')).split('\r\n').slice(2);
  const beat = `${Number(seconds) * 1_000} ${head}\n[]\n[]\n[]\n[]`;
  await ask(`HSET {${PREFIX}}:routers r9 ${JSON.stringify(beat)}`);
  expect((await r1.beat(A_UP)).routers.map(({ id }) => id)).toEqual(['r1', 'r9']);
  return r1.records.get('cell-a')?.epoch;
}

test('a handover is open once all machines hold its requests and one has told the cells', async () => {
  expect(await epochAfter('{"cell-a":[3,true,false]}')).toBe(4);
});

test.each([
  '5',
  '[[3,true,true]]',
  '{"cell-a":5}',
  '{"cell-a":[]}',
  '{"cell-a":{"epoch":3,"held":true,"ready":true}}',
  '{"cell-a":["3",true,true]}',
  '{"cell-a":[3,1,true]}',
  '{"cell-a":[3,"true"]}',
  '{"cell-a":[2,true,true]}',
  'null',
])('a machine that confirms a handover by %s has not confirmed it', async (confirmations) => {
  expect(await epochAfter(confirmations)).toBe(3);
});
