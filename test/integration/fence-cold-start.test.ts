// A router that starts without a store that knows anything: what cells show and what lies on disk is its start.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import { misdirects, startFencedCell, type FencedCell, type Rule } from '../support/fenced-cell.ts';
import { awayRecord, homesOf, machineOf } from '../support/machine.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import { routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

const AWAY = awayRecord('cell-a', 'cell-b', 5);

function ruleOf(record: HealthRecord): Rule {
  const { since: _, cause: __, ...rule } = record;
  return rule;
}

/** A fenced cell that knows these rules already. */
async function knowing(id: string, ...records: HealthRecord[]): Promise<FencedCell> {
  const cell = await startFencedCell(id);
  onTestFinished(async () => await cell.close());
  cell.show(records.map(ruleOf));
  return cell;
}

/** Where nobody listens: with its home dead, nothing but the rule says who serves. */
async function deadCell(id: string): Promise<{ id: string; origin: string }> {
  return { id, origin: `http://127.0.0.1:${await freePort()}` };
}

async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-snapshot-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

test('without a store the rule that a cell shows is followed', async () => {
  const b = await knowing('cell-b', AWAY);
  const { explain, send } = await routed([await deadCell('cell-a'), b]);
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', role: 'guest', epoch: 5 });
  expect((await send('acme')).headers['x-cell-id']).toBe('cell-b');
});

test('an empty store gets the record that a cell showed', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  const prefix = randomUUID();
  const b = await knowing('cell-b', AWAY);
  await routed([await deadCell('cell-a'), b], { REDIS_URL: redis.url, REDIS_PREFIX: prefix });
  const store = createRedisStore({ url: redis.url, prefix });
  onTestFinished(async () => await store.close());
  const machine = machineOf(store, 'another', homesOf('cell-a', 'cell-b'));
  await until('the store has it', async () => {
    await machine.beat({});
    return machine.records.get('cell-a')?.epoch === 5;
  });
  expect(machine.records.get('cell-a')).toMatchObject({ state: 'failed-over', target: 'cell-b', share: 100 });
});

test('a store that knows more is believed, whatever cells show', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  const prefix = randomUUID();
  const store = createRedisStore({ url: redis.url, prefix });
  onTestFinished(async () => await store.close());
  await store.restore([awayRecord('cell-a', 'cell-b', 9)], 1);
  const b = await knowing('cell-b', { ...AWAY, state: 'serving', target: 'cell-a', share: 0 });
  const { explain } = await routed([await deadCell('cell-a'), b], {
    REDIS_URL: redis.url,
    REDIS_PREFIX: prefix,
  });
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 9 });
  await until('the cell is brought it', () => b.rules.get('cell-a')?.epoch === 9);
});

test('of two rules that the cells of a pair show the newer one is followed', async () => {
  for (const [ofA, ofB] of [
    [4, 7],
    [7, 4],
  ] as const) {
    const a = await knowing('cell-a', awayRecord('cell-a', 'cell-b', ofA));
    const b = await knowing('cell-b', awayRecord('cell-a', 'cell-b', ofB));
    const { explain } = await routed([a, b]);
    // Its home answers, and goes on from there: from the older one it would not get so far.
    await until('the newer one is followed', async () => (await explain('acme')).epoch >= 7);
    await until('both cells know it', () =>
      [a, b].every(({ rules }) => (rules.get('cell-a')?.epoch ?? 0) >= 7),
    );
  }
});

test.each<[string, unknown]>([
  ['names a third cell', ruleOf({ ...AWAY, target: 'cell-c' })],
  ['is malformed', { ...ruleOf(AWAY), share: 'all' }],
  ['lacks its target', { ...ruleOf(AWAY), target: undefined }],
  ['has no epoch', { ...ruleOf(AWAY), epoch: 0 }],
  ['is of a home that is not of its pair', ruleOf(awayRecord('cell-a', 'cell-c', 5))],
  ['is of a home that the fleet has not', ruleOf(awayRecord('cell-z', 'cell-b', 5))],
  ['is no rule at all', 'cell-b'],
])('a rule that %s is not followed', async (_, rule) => {
  const [a, b] = await Promise.all([knowing('cell-a'), knowing('cell-b')]);
  b.health.body = { ...(b.health.body as object), epochs: {}, rules: { 'cell-a': rule } };
  const { explain, router } = await routed([a, b]);
  let probes = 0;
  b.server.on('request', ({ url }) => (probes += url === '/health' ? 1 : 0));
  await until('the cell was asked again and again', () => probes >= 5);
  expect(await explain('acme')).toMatchObject({ cell: 'cell-a', role: 'home', epoch: 1 });
  expect(router.logs.filter(({ msg }) => msg === 'verdict')).toEqual([]);
});

test('with Redis absent the last records of an earlier router are followed', async () => {
  const SNAPSHOT_FILE = join(await folderOf(), 'records.json');
  const [dead, b] = [await deadCell('cell-a'), await knowing('cell-b')];
  const before = await routed([dead, b], { SNAPSHOT_FILE });
  await until('the neighbour serves', async () => (await before.explain('acme')).cell === 'cell-b');
  await until('it is on disk', async () => (await readFile(SNAPSHOT_FILE, 'utf8')).includes('"epoch":2'));
  await before.router.stop();
  b.forget();
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const after = await routed([dead, b], { SNAPSHOT_FILE, REDIS_URL: absent });
  expect(await after.explain('acme')).toMatchObject({ cell: 'cell-b', role: 'guest', epoch: 2 });
  expect((await after.send('acme')).status).toBe(200);
});

test('a store that comes empty gets what lay on disk', async () => {
  const SNAPSHOT_FILE = join(await folderOf(), 'records.json');
  await writeFile(SNAPSHOT_FILE, JSON.stringify({ records: [AWAY] }));
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  await redis.kill('SIGKILL');
  const b = await knowing('cell-b');
  const { explain } = await routed([await deadCell('cell-a'), b], { SNAPSHOT_FILE, REDIS_URL: redis.url });
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 5 });
  await redis.restart();
  await until('the store has it', async () =>
    (await redis.command('HGET {cellgate}:state record:cell-a')).includes('"epoch":5'),
  );
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 5 });
});

test('a snapshot that is older than what a cell shows gives way to it', async () => {
  const SNAPSHOT_FILE = join(await folderOf(), 'records.json');
  await writeFile(
    SNAPSHOT_FILE,
    JSON.stringify({ records: [{ ...AWAY, state: 'serving', target: 'cell-a' }] }),
  );
  const b = await knowing('cell-b', awayRecord('cell-a', 'cell-b', 8));
  const { explain } = await routed([await deadCell('cell-a'), b], { SNAPSHOT_FILE });
  await until('the newer one is followed', async () => (await explain('acme')).epoch >= 8);
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', role: 'guest' });
});

test('a damaged snapshot is told of, and stops no router', async () => {
  const SNAPSHOT_FILE = join(await folderOf(), 'records.json');
  await writeFile(SNAPSHOT_FILE, '{"records": [');
  const [a, b] = await Promise.all([knowing('cell-a'), knowing('cell-b')]);
  const { router, send } = await routed([a, b], { SNAPSHOT_FILE });
  expect((await send('acme')).status).toBe(200);
  expect(router.logs.map(({ msg }) => msg)).toContain('snapshot can not be read');
});

test('a store that came back from an old copy does not lock tenants out of the cells that know better', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  const prefix = randomUUID();
  const store = createRedisStore({ url: redis.url, prefix });
  onTestFinished(async () => await store.close());
  await store.restore([{ ...initialRecord('cell-a', 'cell-b'), epoch: 3, cause: 'recovered' }], 1);
  const newest: HealthRecord = { ...initialRecord('cell-a', 'cell-b'), epoch: 5 };
  const [a, b] = await Promise.all([knowing('cell-a', newest), knowing('cell-b', newest)]);
  const [usual] = a.server.listeners('request') as RequestListener[];
  a.scripts.set('/orders', (request, response) => {
    const asUsual: RequestListener = (...told) => {
      a.scripts.delete('/orders');
      usual?.(...told);
    };
    const older = Number(request.headers['x-cell-epoch']) < 5;
    misdirects(5, older ? 1 : 0, asUsual)(request, response);
  });
  const { send } = await routed([a, b], { REDIS_URL: redis.url, REDIS_PREFIX: prefix });
  await until('its tenants are served', async () => (await send('acme')).status === 200);
});
