// The plan over two real routers and their Redis: loads added up, losses foreseen, and new fleet files tried.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import type { DryRun } from '../../router/plan/dry-run.ts';
import type { PlanRow } from '../../router/plan/n-minus-one.ts';
import type { Violation } from '../../router/plan/violations.ts';
import { metricsOf, sumOf } from '../support/metrics.ts';
import { ask, head } from '../support/raw-http.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { startVoter } from '../support/routed.ts';
import { startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

type Plan = { routers: { told: number; live: number }; cells: PlanRow[]; violations: Violation[] };
type Sent = string | Uint8Array<ArrayBuffer> | undefined;
type Problem = { status: number; code: string; title: string; faults?: string[] };

const NEXT = { 'cell-a': 'cell-b', 'cell-b': 'cell-c', 'cell-c': 'cell-a' };
const PREFIX = 'plan';

let redis: RedisProcess;
let cells: StubCell[];
let routers: RunningRouter[];
let declared: Record<string, object>;

beforeAll(async () => {
  redis = await startRedis();
  cells = await Promise.all(Object.keys(NEXT).map((id) => startStubCell(id)));
  declared = Object.fromEntries(
    Object.entries(NEXT).map(([id, neighbour], i) => {
      const capacity = { concurrency: id === 'cell-b' ? 4 : 100 };
      return [id, { origin: cells[i]?.origin, zone: `az-${i}`, neighbour, capacity }];
    }),
  );
  routers = await Promise.all(
    ['router-1', 'router-2'].map((id) =>
      startRouter(fileOf(), {
        ROUTER_ID: id,
        REDIS_URL: redis.url,
        REDIS_PREFIX: PREFIX,
        PROBE_INTERVAL_MS: '50',
        RISE: '2',
        MIN_DWELL_MS: '200',
      }),
    ),
  );
  await until('both routers tell their load', async () => (await planOf(0)).routers.told === 2);
});

afterAll(async () => {
  await Promise.all(routers.map((router) => router.stop()));
  await Promise.all(cells.map((cell) => cell.close()));
  await redis.stop();
});

/** The fleet of the routers, with more generations, cells or pins. */
function fileOf(more: { generations?: object[]; cells?: object } = {}): string {
  return stringify({
    cells: { ...declared, ...more.cells },
    generations: [{ add: Object.keys(NEXT) }, ...(more.generations ?? [])],
    pins: { acme: 'cell-a' },
  });
}

async function planOf(router: number): Promise<Plan> {
  return (await (await fetch(`${routers[router]?.admin}/v1/plan`)).json()) as Plan;
}

async function rowOf(router: number, cell: string): Promise<PlanRow | undefined> {
  return (await planOf(router)).cells.find((row) => row.cell === cell);
}

/** The answer holds what a plan has, or what a refusal has. */
async function post(
  body: Sent,
  type = 'application/yaml',
): Promise<{ status: number; body: DryRun & Problem }> {
  const answer = await fetch(`${routers[0]?.admin}/v1/plan`, {
    method: 'POST',
    headers: { 'content-type': type },
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, body: (await answer.json()) as DryRun & Problem };
}

/** So many requests of acme through each router, inside its cell until the test is over. */
async function holdInside(counts: readonly number[]): Promise<void> {
  const inside: ServerResponse[] = [];
  cells[0]?.scripts.set('/slow', (_, response) => void inside.push(response));
  const sent = counts.flatMap((count, i) =>
    Array.from({ length: count }, async () => {
      const answer = await fetch(`${routers[i]?.url}/slow`, { headers: { 'x-tenant-id': 'acme' } });
      return await answer.text();
    }),
  );
  onTestFinished(async () => {
    for (const response of inside) response.end();
    await Promise.all(sent);
  });
  await until('all are inside', () => inside.length === sent.length);
}

test('the load of a home is what all routers send it, whichever of them is asked', async () => {
  await holdInside([3, 2]);
  for (const router of [0, 1]) {
    const row = await until('the load is told', async () => {
      const row = await rowOf(router, 'cell-a');
      return row?.load?.concurrency === 5 ? row : undefined;
    });
    expect(row).toMatchObject({ neighbour: 'cell-b', zone: 'az-0', share: 0, percent: 125 });
    expect(row.load?.rps).toBeGreaterThan(0);
    expect(row.loadIfLost?.concurrency).toBe(5);
  }
});

test('a neighbour that could not carry a cell is a violation, told once with its cell and once in the list', async () => {
  await holdInside([3, 2]);
  const plan = await until('it is too much', async () => {
    const plan = await planOf(1);
    return plan.violations.length > 0 ? plan : undefined;
  });
  const violation = { cell: 'cell-a', rule: 'over-capacity', detail: expect.stringContaining('cell-b') };
  expect(plan.violations).toEqual([violation]);
  expect(plan.cells[0]?.violations).toEqual([violation]);
});

test('every cell is told, with what it can carry and what it was sized for', async () => {
  const { routers, cells } = await planOf(0);
  expect(routers).toEqual({ told: 2, live: 2 });
  expect(cells.map(({ cell, neighbour }) => [cell, neighbour])).toEqual(Object.entries(NEXT));
  expect(cells[1]?.capacity).toEqual({ rps: 4_000, concurrency: 4, tunnels: 10_000 });
  expect(cells.reduce((sum, { buckets }) => sum + buckets, 0)).toBe(65_536);
  // Half of 204 requests inside, of which two thirds would be in a cell that can carry four.
  expect(cells[0]?.percentByWeights).toBeCloseTo(1_700, -1);
});

test('a loss is told against a neighbour that is lost itself', async () => {
  await cells[2]?.die();
  await until('cell-b has nobody to go to', async () => {
    const rules = (await rowOf(0, 'cell-b'))?.violations.map(({ rule }) => rule) ?? [];
    return rules.includes('neighbour-down') && rules.includes('neighbour-away');
  });
  expect(await rowOf(0, 'cell-c')).toMatchObject({ share: 100, violations: [] });
  await cells[2]?.reopen();
  await until('it is back', async () => (await planOf(0)).violations.every(({ cell }) => cell !== 'cell-b'));
});

test('a new file is tried: what moves, and nothing has moved', async () => {
  const file = fileOf({
    cells: {
      'cell-c': { ...declared['cell-c'], neighbour: 'cell-d' },
      'cell-d': { origin: 'http://127.0.0.1:9', zone: 'az-3', neighbour: 'cell-a' },
    },
    generations: [{ add: ['cell-d'] }],
  });
  const { status, body } = await post(file);
  expect(status).toBe(200);
  expect(body).toMatchObject({ added: ['cell-d'], removed: [], movedBuckets: 16_384, pins: [] });
  expect(body.moves.map(({ from, to, at }) => [from, to, at])).toEqual(
    Object.keys(NEXT).map((cell) => [cell, 'cell-d', 'cut-over']),
  );
  expect(body.neighbours).toEqual([
    { cell: 'cell-c', from: 'cell-a', to: 'cell-d', waits: false },
    { cell: 'cell-d', from: null, to: 'cell-a', waits: false },
  ]);
  expect(body.digest.before).not.toBe(body.digest.after);
  expect((await planOf(0)).cells.map(({ cell }) => cell)).toEqual(Object.keys(NEXT));
});

test('the same file as text/plain changes nothing', async () => {
  const { status, body } = await post(fileOf(), 'text/plain; charset=utf-8');
  expect(status).toBe(200);
  expect(body.digest.after).toBe(body.digest.before);
  expect(body).toMatchObject({ moves: [], neighbours: [], movedBuckets: 0 });
});

test('a wrong file is refused with every fault', async () => {
  const { status, body } = await post('cells: { cell-a: { origin: nowhere } }\nfrobnicate: 1\n');
  expect([status, body.code]).toEqual([400, 'admin-invalid']);
  expect(body.faults?.map((line) => line.split(': ')[0]).sort()).toEqual([
    'cells.cell-a.origin',
    'frobnicate',
    'generations',
  ]);
});

test.each<[string, Sent, string]>([
  ['nothing', undefined, 'application/yaml'],
  ['JSON', '{}', 'application/json'],
  ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe]), 'application/yaml'],
  ['another type', 'a=b', 'application/x-www-form-urlencoded'],
])('%s is no fleet file', async (_, sent, type) => {
  const { status, body } = await post(sent, type);
  expect([status, body.code]).toEqual([400, 'admin-invalid']);
  expect(body.title).not.toBe('');
});

test('more than a fleet file can be is refused before it is sent', async () => {
  const port = Number(new URL(routers[0]?.admin ?? '').port);
  const fields = ['Content-Type: application/yaml', 'Content-Length: 8388609'];
  const { status, body } = await ask(port, head('POST /v1/plan', ...fields));
  expect([status, JSON.parse(body)]).toMatchObject([400, { code: 'admin-invalid' }]);
  expect(body).toContain('8388608 bytes');
});

test('a file that explodes is refused, and the router goes on', async () => {
  const levels = 'bcdefghi'.split('').map((name, i) => {
    const below = Array(9).fill(`*${'abcdefgh'[i]}`).join(', ');
    return `${name}: &${name} [${below}]`;
  });
  const { status, body } = await post(['a: &a [x, x]', ...levels, fileOf()].join('\n'));
  expect([status, body.code]).toEqual([400, 'admin-invalid']);
  expect((await fetch(`${routers[0]?.admin}/readyz`)).status).toBe(200);
});

test('of two files at once one is tried, and the other is asked to come again', async () => {
  const [one, other] = await Promise.all([post(fileOf()), post(fileOf())]);
  const [tried, refused] = one.status === 200 ? [one, other] : [other, one];
  expect([tried.status, refused.status, refused.body.code]).toEqual([200, 503, 'plan-busy']);
  expect((await post(fileOf())).status).toBe(200);
});

test('a router that tells no load is not counted, and the plan says so', async () => {
  await startVoter(redis.url, PREFIX, 'older-router');
  const plan = await until('it is live', async () => {
    const plan = await planOf(0);
    return plan.routers.live === 3 ? plan : undefined;
  });
  expect(plan.routers.told).toBe(2);
  expect(plan.violations).toContainEqual({
    cell: null,
    rule: 'load-unknown',
    detail: '2 of 3 routers told their load',
  });
});

test('without Redis the load is not known, and nothing is planned', async () => {
  await redis.kill('SIGKILL');
  await until('the routers notice', async () => {
    const told = await Promise.all(routers.map(({ admin }) => metricsOf(admin)));
    return told.every((samples) => sumOf(samples, 'cellgate_store_up') === 0);
  });
  const answer = await fetch(`${routers[0]?.admin}/v1/plan`);
  expect([answer.status, ((await answer.json()) as Problem).code]).toEqual([503, 'store-unavailable']);
  const { status, body } = await post(fileOf());
  expect([status, body.code]).toEqual([503, 'store-unavailable']);
});
