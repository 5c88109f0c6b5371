// Cut-overs through the admin port of a real router: what is not settled moves by them, range by range, and nothing else.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fleetFrom } from '../unit/router/fleet/fleets.ts';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import { startVoter } from '../support/routed.ts';
import { startRouter, type RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

type Json = Record<string, unknown>;
type Told = { status: number; body: Json };
type CellNow = {
  id: string;
  epoch: number;
  buckets: number;
  moving: Record<string, number>;
  opinion: string;
};
type Explained = { home: string; cell: string | null; reason: string };

const TOKEN = 'a-long-enough-token';
const WHY = { reason: 'a new cell', owner: 'anna' };
const FIRST = { add: ['cell-a', 'cell-b', 'cell-c'] };
const JOINING = { add: ['cell-d'] };
const TENANTS = Array.from({ length: 60 }, (_, i) => `tenant-${i}`);
const ENV = { ADMIN_TOKEN: `anna:${TOKEN}`, PROBE_INTERVAL_MS: '50', RISE: '2' };

async function startCells(): Promise<FencedCell[]> {
  const cells = await Promise.all(['cell-a', 'cell-b', 'cell-c', 'cell-d'].map((id) => startFencedCell(id)));
  onTestFinished(async () => {
    await Promise.all(cells.map((cell) => cell.close()));
  });
  return cells;
}

function fileOf(cells: readonly FencedCell[], generations: object[], pins: object = {}) {
  return { cells: Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])), generations, pins };
}

type Routed = {
  router: RunningRouter;
  ask(body: Json): Promise<Told>;
  cellsNow(): Promise<CellNow[]>;
  explain(tenant: string): Promise<Explained>;
  send(tenant: string): Promise<{ status: number; cell: string | null; code: string | null }>;
  /** Puts another file in force. */
  give(file: unknown): Promise<void>;
};

async function startRouted(file: unknown, env: Record<string, string> = {}): Promise<Routed> {
  const router = await startRouter(file, { ...ENV, ...env });
  onTestFinished(async () => void (await router.stop()));
  const get = async (path: string): Promise<Json> =>
    (await (await fetch(router.admin + path)).json()) as Json;
  const cellsNow = async (): Promise<CellNow[]> => (await get('/v1/cells'))['cells'] as CellNow[];
  return {
    router,
    cellsNow,
    async ask(body) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
      const sent = JSON.stringify({ ...WHY, ...body });
      const answer = await fetch(`${router.admin}/v1/buckets/cut-over`, {
        method: 'POST',
        headers,
        body: sent,
      });
      return { status: answer.status, body: (await answer.json()) as Json };
    },
    explain: async (tenant) => (await get(`/v1/tenants/${tenant}`)) as Explained,
    async send(tenant) {
      const answer = await fetch(router.url, { headers: { 'x-tenant-id': tenant } });
      const body = (await answer.json()) as { code?: string };
      return { status: answer.status, cell: answer.headers.get('x-cell-id'), code: body.code ?? null };
    },
    async give(next) {
      const known = router.logs.length;
      await router.writeFleet(next);
      router.kill('SIGHUP');
      await until('the file is in force', () =>
        router.logs.slice(known).some(({ msg }) => msg === 'fleet in force'),
      );
      await until('all cells are up', async () =>
        (await cellsNow()).every(({ opinion }) => opinion === 'up'),
      );
    },
  };
}

function moversOf(file: unknown): Set<string> {
  const { placement } = fleetFrom(file as object);
  return new Set(TENANTS.filter((tenant) => placement.locate(tenant).movingTo !== null));
}

test('a new cell gets its buckets range by range under load, and no request fails', async () => {
  const cells = await startCells();
  const { router, ask, cellsNow, give, explain, send } = await startRouted(
    fileOf(cells.slice(0, 3), [FIRST]),
  );
  const joining = fileOf(cells, [FIRST, JOINING]);
  const load = startLoad([router.url], TENANTS, 200);
  onTestFinished(async () => void (await load.stop()));
  await give(joining);
  const movers = moversOf(joining);
  const [mover = ''] = movers;
  expect((await explain(mover)).reason).toBe('home is serving; to be moved to cell-d');
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
  const { ask, cellsNow } = await startRouted(fileOf(cells, [FIRST, JOINING]));
  const wish = { buckets: [[0, 999]], to: 'cell-d' };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  const before = await cellsNow();
  expect(await ask(wish)).toMatchObject({ status: 200, body: { moved: [], records: [] } });
  expect((await cellsNow()).map(({ epoch }) => epoch)).toEqual(before.map(({ epoch }) => epoch));
  expect(before.find(({ id }) => id === 'cell-d')?.buckets).toBeGreaterThan(0);
});

test('of one home alone, where it is named', async () => {
  const cells = await startCells();
  const { ask, cellsNow } = await startRouted(fileOf(cells, [FIRST, JOINING]));
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
  const { ask, send, explain } = await startRouted(fileOf(cells, [FIRST], pins));
  expect(await send(tenant)).toMatchObject({ cell: 'cell-a' });
  expect((await explain(tenant)).reason).toBe('home is serving; to be moved to cell-c');
  const wish = { tenants: [tenant], to: 'cell-c' };
  await until('the cells are up', async () => (await ask(wish)).status === 200);
  expect(await send(tenant)).toMatchObject({ status: 200, cell: 'cell-c' });
  expect(await ask(wish)).toMatchObject({ status: 200, body: { moved: [] } });
});

test.each([
  [{ buckets: [[0, 9]] }, 'to: '],
  [{ to: 'cell-d' }, 'buckets: missing'],
  [{ to: 'cell-d', buckets: [[0, 9]], tenants: ['acme'] }, 'buckets: missing, or beside tenants'],
  [{ to: 'cell-d', buckets: [] }, 'buckets: empty'],
  [{ to: 'cell-d', buckets: [[9, 0]] }, 'buckets.0: not a range'],
  [{ to: 'cell-d', buckets: [[0, 65_536]] }, 'buckets.0.1: not a bucket'],
  [{ to: 'cell-d', tenants: ['a b'] }, 'tenants.0: not a tenant ID'],
  [{ to: 'cell-d', tenants: ['acme'] }, 'acme: the fleet file has no pin to cell-d that is not settled.'],
  [{ to: 'cell-z', buckets: [[0, 9]] }, 'cell-z is no cell of the fleet.'],
  [{ to: 'cell-d', from: 'cell-z', buckets: [[0, 9]] }, 'cell-z is no cell of the fleet.'],
  [{ to: 'cell-d', buckets: [[0, 9]], expiresIn: 9 }, 'expiresIn: '],
])('%j is a 400 that says what is wrong', async (wish, title) => {
  const cells = await startCells();
  const { ask } = await startRouted(fileOf(cells, [FIRST, JOINING]));
  const { status, body } = await ask(wish);
  expect([status, body['code'], body['title']]).toEqual([
    400,
    'admin-invalid',
    expect.stringContaining(title),
  ]);
});

test('buckets that are not to move there are a 400', async () => {
  const cells = await startCells();
  const { ask } = await startRouted(fileOf(cells, [{ add: [...FIRST.add, 'cell-d'] }]));
  const { placement } = fleetFrom(fileOf(cells, [{ add: [...FIRST.add, 'cell-d'] }]));
  const bucket = Array.from({ length: 100 }, (_, i) => i).find(
    (i) => placement.locateBucket(i).home === 'cell-a',
  );
  expect(await ask({ to: 'cell-d', buckets: [[bucket, bucket]] })).toMatchObject({
    status: 400,
    body: { title: 'None of these buckets is to move to cell-d, or was.' },
  });
});

test('while live routers have different files nothing is cut over', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  await startVoter(redis.url, 'files');
  const cells = await startCells();
  const { ask } = await startRouted(fileOf(cells, [FIRST, JOINING]), {
    REDIS_URL: redis.url,
    REDIS_PREFIX: 'files',
  });
  await until('the other one is known', async () => {
    const { status, body } = await ask({ buckets: [[0, 9]], to: 'cell-d' });
    return status === 409 && body['rule'] === 'other-fleets';
  });
});

test('at a cold start without the store nobody is sent to a home that may be the wrong one, and all others are served', async () => {
  const cells = await startCells();
  const file = fileOf(cells, [FIRST, JOINING]);
  const movers = moversOf(file);
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const { send, explain } = await startRouted(file, { REDIS_URL: absent });
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
  const before = await startRouted(file);
  const wish = { buckets: [[0, 65_535]], to: 'cell-d' };
  await until('the cells are up', async () => (await before.ask(wish)).status === 200);
  await before.router.stop();
  const absent = `redis://127.0.0.1:${await freePort()}`;
  const { send } = await startRouted(file, { REDIS_URL: absent });
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
  const before = await startRouted(file, { SNAPSHOT_FILE });
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
  const after = await startRouted(file, { SNAPSHOT_FILE, ...(gone ? { REDIS_URL: absent } : {}) });
  for (const tenant of TENANTS) {
    await until(`${tenant} is served`, async () => (await after.send(tenant)).status === 200);
    expect(await after.send(tenant)).toMatchObject({ cell: homes.get(tenant) });
  }
});
