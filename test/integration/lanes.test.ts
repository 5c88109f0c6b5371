// Lanes and rates on real sockets: who is refused when a cell is full, and who is not.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { codeOf, routed, startVoter, type Reply, type Routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

type Slow = StubCell & { inside: ServerResponse[] };

/** A cell that keeps every request for `/slow` until the test answers it. */
async function startSlowCell(id: string): Promise<Slow> {
  const cell = await startStubCell(id);
  const inside: ServerResponse[] = [];
  cell.scripts.set('/slow', (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    inside.push(response);
    response.once('close', () => inside.splice(inside.indexOf(response), 1));
  });
  onTestFinished(() => cell.close());
  return Object.assign(cell, { inside });
}

async function slowCells(): Promise<[Slow, Slow]> {
  return await Promise.all([startSlowCell('cell-a'), startSlowCell('cell-b')]);
}

const SLOW = { path: '/slow' };

/** Several at once; the answers come when the test has the cell give them. */
function sendMany(send: Routed['send'], tenant: string, count: number): Promise<Reply>[] {
  return Array.from({ length: count }, () => send(tenant, SLOW));
}

async function finish(cell: Slow, replies: readonly Promise<Reply>[]): Promise<number[]> {
  const end = setInterval(() => {
    for (const response of cell.inside) response.end('done');
  }, 5);
  const all = await Promise.all(replies).finally(() => clearInterval(end));
  return all.map(({ status }) => status);
}

function told(reply: Reply): unknown[] {
  return [reply.status, codeOf(reply), reply.headers['retry-after']];
}

const OVERLOADED = [503, 'cell-overloaded', '1'];

function capacity(concurrency: number): { capacity: unknown; fleet: Record<string, unknown> } {
  const pins = { acme: 'cell-a', core: 'cell-a', bolt: 'cell-b', dart: 'cell-b' };
  return { capacity: { concurrency, rps: 100, tunnels: 10 }, fleet: { pins } };
}

test('a full cell refuses at once, says when to come again, and the other cells have room', async () => {
  const [a, b] = await slowCells();
  const { send } = await routed([a, b], {}, capacity(4));
  const inside = sendMany(send, 'acme', 4);
  await until('it is full', () => a.inside.length === 4);
  expect(told(await send('acme'))).toEqual(OVERLOADED);
  expect((await send('bolt')).status).toBe(200);
  expect(await finish(a, inside)).toEqual([200, 200, 200, 200]);
  expect((await send('acme')).status).toBe(200);
});

test('each of two routers has half of a cell, and keeps to it while Redis is away', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const [a, b] = await slowCells();
  const { send, gauge } = await routed([a, b], { REDIS_URL: redis.url, REDIS_PREFIX: 'lanes' }, capacity(8));
  await startVoter(redis.url, 'lanes');
  const limit = async (): Promise<number> => await gauge('cellgate_lane_limit_requests', { cell: 'cell-a' });
  await until('the other router counts', async () => (await limit()) === 4);
  await redis.kill('SIGKILL');
  await until('Redis is missed', async () => (await gauge('cellgate_store_up')) === 0);
  const inside = sendMany(send, 'acme', 4);
  await until('its part is full', () => a.inside.length === 4);
  expect([told(await send('acme')), await limit()]).toEqual([OVERLOADED, 4]);
  expect(await finish(a, inside)).toEqual([200, 200, 200, 200]);
});

test('a tenant alone in a cell has all of it; the next one is refused once, and then finds room', async () => {
  const [a, b] = await slowCells();
  const { send, gauge } = await routed([a, b], {}, capacity(16));
  const inside = sendMany(send, 'acme', 16);
  await until('it is full', () => a.inside.length === 16);
  expect(told(await send('core'))).toEqual(OVERLOADED);
  a.inside[0]?.end('done');
  await until('one has left', async () => (await gauge('cellgate_inside_requests')) === 15);
  expect(told(await send('acme'))).toEqual(OVERLOADED);
  expect((await send('core')).status).toBe(200);
  const refused = async (why: string): Promise<number> =>
    await gauge('cellgate_lane_refusals_total', { cell: 'cell-a', role: 'home', why });
  expect([await refused('full'), await refused('share')]).toEqual([1, 1]);
  await finish(a, inside);
});

test('a tenant at fifty times its share takes nothing from the others of its cell', async () => {
  const [a, b] = await slowCells();
  const { send } = await routed([a, b], {}, capacity(16));
  expect((await send('core')).status).toBe(200);
  const noisy = sendMany(send, 'acme', 50 * 4);
  await until('it has all that it may have', () => a.inside.length === 12);
  for (let i = 0; i < 20; i += 1) expect((await send('core')).status).toBe(200);
  const statuses = await finish(a, noisy);
  expect([statuses.length, statuses.includes(200), statuses.includes(503)]).toEqual([200, true, true]);
});

test('guests share what a busy neighbour has left, and none of its own tenants is refused', async () => {
  const [a, b] = await slowCells();
  const { send, explain, gauge } = await routed([a, b], {}, capacity(16));
  const own = [...sendMany(send, 'bolt', 4), ...sendMany(send, 'dart', 4)];
  await until('half of the neighbour is taken', () => b.inside.length === 8);
  await a.die();
  await until('the neighbour serves', async () => (await explain('acme')).cell === 'cell-b');
  const guests = [...sendMany(send, 'acme', 3), ...sendMany(send, 'core', 3)];
  await until('guests are inside', () => b.inside.length === 14);
  expect([told(await send('acme')), told(await send('core'))]).toEqual([OVERLOADED, OVERLOADED]);
  expect([(await send('bolt')).status, (await send('dart')).status]).toEqual([200, 200]);
  const inside = async (role: string): Promise<number> =>
    await gauge('cellgate_inside_requests', { cell: 'cell-b', role });
  expect([await inside('home'), await inside('guest')]).toEqual([8, 6]);
  expect(await finish(b, [...own, ...guests])).toEqual(Array.from({ length: 14 }, () => 200));
});

/** So slow that nothing comes back within a test. */
const ONCE = { rps: 1, burst: 2 };

function limited(rateLimit: unknown): { fleet: Record<string, unknown> } {
  return { fleet: { rateLimit } };
}

test('a tenant beyond its rate is refused before any cell is asked, and nobody else is', async () => {
  const [a, b] = await slowCells();
  const { send, gauge, router } = await routed([a, b], {}, limited({ tenants: { acme: ONCE } }));
  const first = await Promise.all(Array.from({ length: 40 }, async () => await send('acme')));
  const passed = first.filter(({ status }) => status === 200).length;
  const refused = first.filter(({ status }) => status === 429);
  expect([passed + refused.length, a.seen.length, refused.length > 20]).toEqual([40, passed, true]);
  expect(refused.map(codeOf)).toEqual(refused.map(() => 'tenant-rate-limited'));
  expect(new Set(refused.map(({ headers }) => headers['retry-after']))).toEqual(new Set(['1']));
  for (let i = 0; i < 20; i += 1) expect((await send('bolt')).status).toBe(200);
  expect(await gauge('cellgate_refusals_total', { code: 'tenant-rate-limited' })).toBe(refused.length);
  expect(await (await fetch(`${router.admin}/metrics`)).text()).not.toContain('acme');
});

test('a route without a tenant has no rate', async () => {
  const [a, b] = await slowCells();
  const routes = [{ path: '/login', tenantless: 'cell-a' }];
  const { router } = await routed([a, b], {}, { fleet: { routes, rateLimit: { rps: 1, burst: 1 } } });
  for (let i = 0; i < 10; i += 1) expect((await fetch(`${router.url}/login`)).status).toBe(200);
});

test('a changed fleet file keeps what a tenant has used up, and takes the new rates', async () => {
  const [a, b] = await slowCells();
  const rates = (core: number) => ({
    tenants: { acme: { rps: 1, burst: 500 }, core: { rps: core, burst: 1 } },
  });
  const { send, router } = await routed([a, b], {}, limited(rates(1)));
  const status = async (tenant: string): Promise<number> => (await send(tenant)).status;
  for (let i = 0; i < 400; i += 1) await status('acme');
  const origins = { 'cell-a': { origin: a.origin }, 'cell-b': { origin: b.origin } };
  const generations = [{ add: ['cell-a', 'cell-b'] }];
  await router.writeFleet({ cells: origins, generations, rateLimit: rates(1_000_000) });
  router.kill('SIGHUP');
  await until('the new rate is in force', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, async () => await status('core')));
    return all.every((one) => one === 200);
  });
  const again = await Promise.all(Array.from({ length: 400 }, async () => await status('acme')));
  expect(again).toContain(429);
});

test('of two routers each allows half of a rate', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const [a, b] = await slowCells();
  const rateLimit = { tenants: { acme: { rps: 1, burst: 1_000 } } };
  const env = { REDIS_URL: redis.url, REDIS_PREFIX: 'rates' };
  const { send, gauge } = await routed([a, b], env, limited(rateLimit));
  await startVoter(redis.url, 'rates');
  const limit = async (): Promise<number> => await gauge('cellgate_lane_limit_requests', { cell: 'cell-a' });
  await until('the other router counts', async () => (await limit()) === 256);
  const passes = async (count: number): Promise<boolean[]> => {
    const replies = Array.from({ length: count }, async () => (await send('acme')).status === 200);
    return await Promise.all(replies);
  };
  const passed: boolean[] = [];
  for (let i = 0; i < 14; i += 1) passed.push(...(await passes(50)));
  const count = passed.filter(Boolean).length;
  // Half of the burst, and what came back meanwhile at a request each two seconds.
  expect([count >= 500, count < 650]).toEqual([true, true]);
});
