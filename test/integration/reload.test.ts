// A changed fleet file takes effect without a lost request; a wrong one changes nothing; at the start it ends the router.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startSilence } from '../support/black-hole.ts';
import { metricsOf, sumOf } from '../support/metrics.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import { fleetOf, runRouterToEnd, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

let cells: StubCell[];
let router: RunningRouter;

beforeAll(async () => {
  cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => startStubCell(id)));
  router = await startRouter(fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-a' } }));
});

afterAll(async () => {
  await router.stop();
  await Promise.all(cells.map((cell) => cell.close()));
});

function fleet(names: string[], more: Record<string, unknown> = {}): unknown {
  const members = cells.filter(({ id }) => names.includes(id));
  return fleetOf(Object.fromEntries(members.map(({ id, origin }) => [id, { origin }])), more);
}

/** A router of one test's own, that goes with it. */
async function startOwn(its: unknown, env: Record<string, string>): Promise<RunningRouter> {
  const own = await startRouter(its, env);
  onTestFinished(async () => void (await own.stop()));
  return own;
}

async function servedBy(tenant: string, of = router): Promise<string> {
  const answer = await fetch(`${of.url}/`, { headers: { 'x-tenant-id': tenant } });
  if (answer.status !== 200) throw new Error(`${tenant} got a ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { cell: string }).cell;
}

function told(message: string, from: number): Record<string, unknown>[] {
  return router.logs.slice(from).filter(({ msg }) => String(msg).includes(message));
}

test('a pin in a changed file moves its tenant, and no other', async () => {
  const others = ['t-1', 't-2', 't-3', 't-4', 't-5', 't-6'];
  const before = await Promise.all(others.map((tenant) => servedBy(tenant)));
  await router.writeFleet(fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-b' } }));
  await until('the pin is in force', async () => (await servedBy('acme')) === 'cell-b');
  expect(await Promise.all(others.map((tenant) => servedBy(tenant)))).toEqual(before);
});

test('a new cell serves what is pinned to it, and no request is refused meanwhile', async () => {
  const next = fleet(['cell-a', 'cell-b', 'cell-c'], { pins: { acme: 'cell-c' } }) as Record<string, unknown>;
  const generations = [{ add: ['cell-a', 'cell-b'] }, { add: ['cell-c'] }];
  await router.writeFleet({ ...next, generations });
  router.kill('SIGHUP');
  await until('the new cell serves', async () => (await servedBy('acme')) === 'cell-c');
});

test('a new cell that does not answer takes nobody down with it', async () => {
  const silence = await startSilence();
  onTestFinished(() => silence.close());
  const own = await startOwn(fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-a' } }), {
    PROBE_TIMEOUT_MS: '60000',
  });
  const next = fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-b' } }) as { cells: object };
  const generations = [{ add: ['cell-a', 'cell-b'] }, { add: ['cell-new'] }];
  await own.writeFleet({
    ...next,
    cells: { ...next.cells, 'cell-new': { origin: silence.origin } },
    generations,
  });
  own.kill('SIGHUP');
  // Any refusal on the way rejects at once: these errors do not count as "not yet".
  let cell = '';
  while (cell !== 'cell-b') cell = await servedBy('acme', own);
  expect((await fetch(`${own.admin}/readyz`)).status).toBe(200);
});

test('a wrong file changes nothing and tells every fault, and a right one heals', async () => {
  await router.writeFleet(fleet(['cell-a', 'cell-b', 'cell-c'], { pins: { acme: 'cell-a' } }));
  router.kill('SIGHUP');
  await until('the right file is in force', async () => (await servedBy('acme')) === 'cell-a');

  const from = router.logs.length;
  await router.writeFleet({
    cells: { 'cell-a': { origin: 'http://127.0.0.1:70000', wieght: 1 } },
    generations: [{ add: ['cell-z'] }],
    pins: { acme: 'cell-q' },
  });
  router.kill('SIGHUP');
  const [refused] = await until('the file is refused', () => {
    const lines = told('fleet file refused', from);
    return lines.length > 0 ? lines : null;
  });
  expect(JSON.stringify(refused)).toMatch(/cells\.cell-a\.origin.*70000/);
  expect(JSON.stringify(refused)).toMatch(/cells\.cell-a\.wieght/);
  expect(await servedBy('acme')).toBe('cell-a');
  expect(sumOf(await metricsOf(router.admin), 'cellgate_fleet_file_refused')).toBe(1);

  await router.writeFleet(fleet(['cell-a', 'cell-b', 'cell-c'], { pins: { acme: 'cell-b' } }));
  router.kill('SIGHUP');
  await until('the right file is in force', async () => (await servedBy('acme')) === 'cell-b');
  expect(sumOf(await metricsOf(router.admin), 'cellgate_fleet_file_refused')).toBe(0);
});

test.each([
  ['empty', ''],
  ['not YAML', 'cells: [}'],
  ['a list', '- a\n- b\n'],
  ['an alias to nothing', 'cells: *nothing\n'],
  ['an alias to itself', 'cells: &a\n  b: *a\n'],
  ['an alias bomb', bomb()],
  ['binary', '\0\u0001\uFFFD'],
])('a file that is %s does not take a running router down', async (_, text) => {
  const from = router.logs.length;
  const before = await servedBy('acme');
  await router.writeFleet(text);
  router.kill('SIGHUP');
  await until('the file is refused', () => told('fleet file refused', from).length > 0);
  expect(await servedBy('acme')).toBe(before);
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 10; i += 1) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]`);
  return `${lines.join('\n')}\ncells: *a9\n`;
}

test('a changed file takes effect in time though the store is away', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const own = await startOwn(fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-a' } }), {
    REDIS_URL: redis.url,
    FLEET_ACTIVATE_MS: '300',
  });
  await redis.kill('SIGKILL');
  await own.writeFleet(fleet(['cell-a', 'cell-b'], { pins: { acme: 'cell-b' } }));
  own.kill('SIGHUP');
  await until('the changed file is in force', async () => (await servedBy('acme', own)) === 'cell-b');
});

test('a wrong file at the start ends the router with 2, every fault on stderr', async () => {
  const wrong = {
    cells: { 'cell-a': { origin: 'ftp://x', wieght: 1 }, Cell_B: { origin: 'http://127.0.0.1:4102' } },
    generations: [{ add: ['cell-a'] }],
    unknown: true,
  };
  const { code, stderr } = await runRouterToEnd(wrong);
  expect(code).toBe(2);
  const lines = stderr.trim().split('\n');
  for (const place of ['cells.cell-a.origin', 'cells.cell-a.wieght', 'cells.Cell_B', 'unknown'])
    expect(lines.filter((line) => line.startsWith(`${place}: `))).toHaveLength(1);
});

test('a file that is not there ends the router with 2', async () => {
  const { code, stderr } = await runRouterToEnd('', { FLEET_FILE: '/nowhere/fleet.yaml' });
  expect(code).toBe(2);
  expect(stderr).toContain('/nowhere/fleet.yaml');
});

test('a wrong environment ends the router with 2, every variable on stderr', async () => {
  const wrong = {
    PORT: '70000',
    FALL: 'many',
    ACCESS_LOG: 'some',
    REDIS_URL: 'http://:secret@x',
    TRUSTED_PROXIES: 'x/8',
  };
  const { code, stderr } = await runRouterToEnd(fleet(['cell-a']), wrong);
  expect(code).toBe(2);
  for (const name of Object.keys(wrong)) expect(stderr).toMatch(new RegExp(`^${name}: .+`, 'm'));
  expect(stderr).not.toContain('secret');
});

test.each(['PORT', 'ADMIN_PORT'])(
  'a busy %s ends the router with 1, and its number is told',
  async (name) => {
    const [busy] = cells;
    const { code, stderr } = await runRouterToEnd(fleet(['cell-b']), { [name]: String(busy?.port) });
    expect(code).toBe(1);
    expect(stderr).toBe(`cellgate: port ${busy?.port} is already in use\n`);
  },
);

test('a Redis that is not there does not keep a router from starting', async () => {
  const own = await startOwn(fleet(['cell-a']), { REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  expect(await servedBy('acme', own)).toBe('cell-a');
  expect(await own.stop()).toBe(0);
});
