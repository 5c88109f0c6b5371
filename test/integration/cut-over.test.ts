// Cut-overs through the admin port of a real router: what is not settled moves by them, range by range, and nothing else.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startLoad } from '../support/load.ts';
import {
  FIRST,
  fileOf,
  JOINING,
  moversOf,
  startCells,
  startMoving,
  TENANTS,
} from '../support/moving-fleet.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/wait.ts';
import { fleetFrom } from '../unit/router/fleet/fleets.ts';

test('a new cell gets its buckets range by range under load, and no request fails', async () => {
  const cells = await startCells();
  const { router, ask, cellsNow, give, explain, send } = await startMoving(
    fileOf(cells.slice(0, 3), [FIRST]),
  );
  const joining = fileOf(cells, [FIRST, JOINING]);
  const load = startLoad([router.url], TENANTS, 200);
  onTestFinished(async () => void (await load.stop()));
  await until(
    'everybody was served at home',
    () => new Set(load.sent.map(({ tenant }) => tenant)).size === TENANTS.length,
  );
  await give(joining);
  const movers = moversOf(joining);
  const [mover = ''] = movers;
  await until('it is said where it is to go', async () => {
    return (await explain(mover)).reason === 'home is serving; to be moved to cell-d';
  });
  let moved = 0;
  for (let from = 0; from < 65_536; from += 16_384) {
    const answer = await ask({ buckets: [[from, from + 16_383]], to: 'cell-d' });
    expect(answer).toMatchObject({ status: 200, body: { to: 'cell-d' } });
    const parts = answer.body['moved'] as { from: string; count: number }[];
    expect(parts.map((part) => part.from)).toEqual(FIRST.add);
    moved += parts.reduce((sum, { count }) => sum + count, 0);
    const row = (await cellsNow()).find(({ id }) => id === 'cell-d');
    expect(row?.buckets).toBe(moved);
  }
  expect(moved).toBe(16_384);
  expect((await cellsNow()).every(({ moving }) => Object.keys(moving).length === 0)).toBe(true);
  for (const tenant of movers) expect(await send(tenant)).toMatchObject({ status: 200, cell: 'cell-d' });

  await give(fileOf(cells, [FIRST, { ...JOINING, settled: true }]));
  for (const tenant of movers) expect(await send(tenant)).toMatchObject({ status: 200, cell: 'cell-d' });
  const sent = await load.stop();
  expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
  for (const tenant of TENANTS) {
    const served = sent.filter((one) => one.tenant === tenant).sort((a, b) => a.startedAtMs - b.startedAtMs);
    const homes = [...new Set(served.map(({ cell }) => cell))];
    expect([homes.length, homes.includes('cell-d')]).toEqual(movers.has(tenant) ? [2, true] : [1, false]);
  }
});

test('what is cut over already is done, and asking again changes nothing', async () => {
  const cells = await startCells();
  const { ask, cellsNow } = await startMoving(fileOf(cells, [FIRST, JOINING]));
  const wish = { buckets: [[0, 999]], to: 'cell-d' };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  const before = await cellsNow();
  expect(await ask(wish)).toMatchObject({ status: 200, body: { moved: [], records: [] } });
  expect((await cellsNow()).map(({ epoch }) => epoch)).toEqual(before.map(({ epoch }) => epoch));
  expect(before.find(({ id }) => id === 'cell-d')?.buckets).toBeGreaterThan(0);
});

test('without an owner, it is who asks', async () => {
  const cells = await startCells();
  const { router, ask } = await startMoving(fileOf(cells, [FIRST, JOINING]));
  const wish = { buckets: [[0, 99]], to: 'cell-d', from: 'cell-a', owner: undefined };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  const { events } = (await (await fetch(`${router.admin}/v1/events`)).json()) as { events: object[] };
  expect(events.at(-1)).toMatchObject({ cell: 'cell-a', actor: 'anna', details: { owner: 'anna' } });
});

test('of one home alone, where it is named', async () => {
  const cells = await startCells();
  const { ask, cellsNow } = await startMoving(fileOf(cells, [FIRST, JOINING]));
  const wish = { buckets: [[0, 65_535]], to: 'cell-d', from: 'cell-b' };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  const moving = (await cellsNow()).map((cell) => [cell.id, cell.moving['cell-d'] ?? 0] as const);
  expect(new Map(moving).get('cell-b')).toBe(0);
  expect(new Map(moving).get('cell-a')).toBeGreaterThan(0);
});

test('a tenant whose pin is not settled moves by its own cut-over', async () => {
  const cells = await startCells();
  const { placement } = fleetFrom(fileOf(cells, [FIRST]));
  const tenant = TENANTS.find((one) => placement.locate(one).home === 'cell-a') ?? '';
  const pins = { [tenant]: { cell: 'cell-c', settled: false } };
  const { ask, send, explain } = await startMoving(fileOf(cells, [FIRST], pins));
  expect(await send(tenant)).toMatchObject({ cell: 'cell-a' });
  expect((await explain(tenant)).reason).toBe('home is serving; to be moved to cell-c');
  const wish = { tenants: [tenant], to: 'cell-c' };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  expect(await send(tenant)).toMatchObject({ status: 200, cell: 'cell-c' });
  expect(await ask(wish)).toMatchObject({ status: 200, body: { moved: [] } });
});

test('at a cold start without the store nobody is sent to a home that may be the wrong one, and all others are served', async () => {
  const cells = await startCells();
  const file = fileOf(cells, [FIRST, JOINING]);
  const movers = moversOf(file);
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const { send, explain } = await startMoving(file, { REDIS_URL: absent });
  for (const tenant of TENANTS) {
    expect(await send(tenant)).toMatchObject(
      movers.has(tenant) ? { status: 503, cell: null, code: 'placement-moving' } : { status: 200 },
    );
  }
  const [mover = ''] = movers;
  const { home, cell, reason } = await explain(mover);
  expect([cell, reason]).toEqual([null, `nobody can tell whether it was moved from ${home}`]);
});

test('what a cell shows of its own home is enough to know', async () => {
  const cells = await startCells();
  const file = fileOf(cells, [FIRST, JOINING]);
  const before = await startMoving(file);
  const wish = { buckets: [[0, 65_535]], to: 'cell-d' };
  await until('the cells are up', async () => (await before.ask(wish)).status === 200);
  await before.router.stop();
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const { send } = await startMoving(file, { REDIS_URL: absent });
  for (const tenant of moversOf(file)) {
    await until(`${tenant} is served`, async () => (await send(tenant)).cell === 'cell-d');
  }
});

test.each([
  ['with Redis gone', true],
  ['without Redis', false],
])('%s a restarted router knows by its snapshot what was cut over', async (_, gone) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-snapshot-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const SNAPSHOT_FILE = join(folder, 'records.json');
  const cells = await startCells();
  const file = fileOf(cells, [FIRST, JOINING]);
  const before = await startMoving(file, { SNAPSHOT_FILE });
  const wish = { buckets: [[0, 32_767]], to: 'cell-d' };
  await until('the cells are up', async () => (await before.ask(wish)).status === 200);
  await until('it is on disk', async () => {
    const { records } = JSON.parse(await readFile(SNAPSHOT_FILE, 'utf8')) as {
      records: { phase: string; moved: [] }[];
    };
    return records.filter(({ phase, moved }) => phase === 'open' && moved.length > 0).length === 3;
  });
  const homes = new Map<string, string | null>();
  for (const tenant of TENANTS) homes.set(tenant, (await before.send(tenant)).cell);
  expect([...homes.values()]).toContain('cell-d');
  await before.router.stop();
  for (const cell of cells) cell.forget();
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const after = await startMoving(file, { SNAPSHOT_FILE, ...(gone ? { REDIS_URL: absent } : {}) });
  for (const tenant of TENANTS) {
    await until(`${tenant} is served`, async () => (await after.send(tenant)).status === 200);
    expect(await after.send(tenant)).toMatchObject({ cell: homes.get(tenant) });
  }
});
