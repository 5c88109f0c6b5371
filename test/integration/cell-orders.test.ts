// The cell's orders over HTTP against its real PostgreSQL: what a tenant sees, and what it must not.
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCell, type RunningCell } from '../support/cell.ts';

let cell: RunningCell;

beforeAll(async () => {
  cell = await startCell({ id: 'cell-a' });
});

afterAll(async () => {
  await cell?.stop();
});

function asTenant(tenant: string): Record<string, string> {
  // Header values are bytes: this is how UTF-8 travels in one.
  return { 'x-tenant-id': Buffer.from(tenant, 'utf8').toString('latin1') };
}

async function post(tenant: string, body: unknown): Promise<Response> {
  return fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: { ...asTenant(tenant), 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function get(tenant: string, path: string): Promise<Response> {
  return fetch(`${cell.url}${path}`, { headers: asTenant(tenant) });
}

type Order = { id: string; item: string; quantity: number; createdAt: string };

async function place(tenant: string, item: string): Promise<Order> {
  return (await (await post(tenant, { item, quantity: 1 })).json()) as Order;
}

async function listed(tenant: string): Promise<Order[]> {
  return ((await (await get(tenant, '/orders')).json()) as { orders: Order[] }).orders;
}

async function expectProblem(answer: Response, status: number, code: string): Promise<void> {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(await answer.json()).toMatchObject({ type: `urn:cellgate:cell-error:${code}`, status, code });
  expect(answer.status).toBe(status);
}

test('an order is created, with its location', async () => {
  const answer = await post('acme', { item: 'tea', quantity: 2 });
  const order = (await answer.json()) as Order;
  expect(answer.status).toBe(201);
  expect(answer.headers.get('location')).toBe(`/orders/${order.id}`);
  expect(order).toEqual({ id: order.id, item: 'tea', quantity: 2, createdAt: expect.any(String) });
  expect(new Date(order.createdAt).toISOString()).toBe(order.createdAt);
});

test('an order is found at its location', async () => {
  const order = await place('acme', 'coffee');
  const answer = await get('acme', `/orders/${order.id}`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual(order);
});

test('orders are listed newest first', async () => {
  for (const item of ['first', 'second', 'third']) await place('sorted', item);
  expect((await listed('sorted')).map(({ item }) => item)).toEqual(['third', 'second', 'first']);
});

test('no tenant sees the orders of another', async () => {
  await place('mine', 'secret');
  expect(await listed('yours')).toEqual([]);
});

test('the ID of an order of another tenant is not found', async () => {
  const { id } = await place('mine', 'secret');
  await expectProblem(await get('yours', `/orders/${id}`), 404, 'not-found');
});

test('an ID that is no UUID is not found', async () => {
  await expectProblem(await get('acme', '/orders/1%27%20or%20true'), 404, 'not-found');
});

test('an unknown path is a problem, not a page', async () => {
  await expectProblem(await get('acme', '/nothing'), 404, 'not-found');
});

test('a request without a tenant is refused', async () => {
  await expectProblem(await fetch(`${cell.url}/orders`), 400, 'tenant-missing');
});

test('a tenant is UTF-8, and normal forms of it stay apart', async () => {
  await place('zo\u00EB 東京', 'composed');
  await place('zoe\u0308 東京', 'decomposed');
  expect((await listed('zo\u00EB 東京')).map(({ item }) => item)).toEqual(['composed']);
});

test('a tenant that is not UTF-8 is refused', async () => {
  await expectProblem(
    await fetch(`${cell.url}/orders`, { headers: { 'x-tenant-id': '\u00FF\u00FE' } }),
    400,
    'tenant-invalid',
  );
});

test('a tenant of 129 bytes is refused, one of 128 is served', async () => {
  await expectProblem(await get('t'.repeat(129), '/orders'), 400, 'tenant-invalid');
  expect((await get('t'.repeat(128), '/orders')).status).toBe(200);
});

test('two tenant headers are refused, even when they agree', async () => {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>();
  httpRequest(`${cell.url}/orders`, { headers: { 'x-tenant-id': ['acme', 'acme'] } }, (answer) => {
    text(answer).then((body) => resolve({ status: answer.statusCode, body }), reject);
  })
    .on('error', reject)
    .end();
  const { status, body } = await promise;
  expect(status).toBe(400);
  expect(body).toContain('tenant-invalid');
});

test.each([
  ['no JSON at all', '{"item":'],
  ['a missing quantity', { item: 'tea' }],
  ['a quantity of zero', { item: 'tea', quantity: 0 }],
  ['a quantity that is a string', { item: 'tea', quantity: '1' }],
  ['a fraction', { item: 'tea', quantity: 1.5 }],
  ['more than a million', { item: 'tea', quantity: 1_000_001 }],
  ['an empty item', { item: '', quantity: 1 }],
  ['an item of 201 characters', { item: 'x'.repeat(201), quantity: 1 }],
  ['an item with a NUL', { item: 'a\u0000b', quantity: 1 }],
  ['an unknown member', { item: 'tea', quantity: 1, tenant: 'other' }],
])('%s is a bad request', async (_name, body) => {
  await expectProblem(await post('acme', body), 400, 'bad-request');
});

test('a body that is not JSON by its type is refused', async () => {
  const answer = await fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: asTenant('acme'),
    body: 'tea',
  });
  await expectProblem(answer, 415, 'unsupported-media-type');
});

test('a body above 1 MiB is refused', async () => {
  await expectProblem(
    await post('acme', { item: 'x'.repeat(1_100_000), quantity: 1 }),
    413,
    'body-too-large',
  );
});
