// The cell's orders over HTTP against its real PostgreSQL: what a tenant sees, and what it must not.
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCell, type RunningCell } from '../support/cell.ts';
import { until } from '../support/wait.ts';

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

type Headers = Record<string, string>;

async function post(tenant: string, body: unknown, headers: Headers = {}): Promise<Response> {
  return send('POST', tenant, '/orders', body, headers);
}

async function send(
  method: string,
  tenant: string,
  path: string,
  body: unknown,
  headers: Headers = {},
): Promise<Response> {
  return fetch(`${cell.url}${path}`, {
    method,
    headers: { ...asTenant(tenant), 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function cancel(tenant: string, id: string, headers: Headers = {}): Promise<Response> {
  return fetch(`${cell.url}/orders/${id}/cancel`, {
    method: 'POST',
    headers: { ...asTenant(tenant), ...headers },
  });
}

async function get(tenant: string, path: string): Promise<Response> {
  return fetch(`${cell.url}${path}`, { headers: asTenant(tenant) });
}

type Order = {
  id: string;
  item: string;
  quantity: number;
  status: string;
  createdAt: string;
  updatedAt: string;
};
type Page = { orders: Order[]; next: string | null };

async function place(tenant: string, item: string): Promise<Order> {
  return (await (await post(tenant, { item, quantity: 1 })).json()) as Order;
}

/** The order's ETag once nothing will change it by itself any more. */
async function settledTag(tenant: string, id: string): Promise<string> {
  return until('the order is confirmed', async () => {
    const answer = await get(tenant, `/orders/${id}`);
    const { status } = (await answer.json()) as Order;
    return status === 'confirmed' ? answer.headers.get('etag') : null;
  });
}

async function page(tenant: string, query: string): Promise<Page> {
  return (await (await get(tenant, `/orders?${query}`)).json()) as Page;
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
  expect(order).toEqual({
    id: order.id,
    item: 'tea',
    quantity: 2,
    status: 'placed',
    createdAt: expect.any(String),
    updatedAt: expect.any(String),
  });
  expect(answer.headers.get('etag')).toBe('"1.1"');
  expect(new Date(order.createdAt).toISOString()).toBe(order.createdAt);
});

test('an order is found at its location', async () => {
  const order = await place('acme', 'coffee');
  const answer = await get('acme', `/orders/${order.id}`);
  expect(answer.status).toBe(200);
  const { id, createdAt } = order;
  expect(await answer.json()).toMatchObject({ id, item: 'coffee', quantity: 1, createdAt });
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
  ['an item with half a surrogate pair', '{"item":"a\\ud800","quantity":1}'],
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

test('a request without a tenant is told so before its body is looked at', async () => {
  const answer = await fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  await expectProblem(answer, 400, 'tenant-missing');
});

test('pages lead through all orders once, newest first', async () => {
  for (const item of ['a', 'b', 'c', 'd', 'e']) await place('paged', item);
  const seen: string[] = [];
  let next: string | null = '';
  while (next !== null) {
    const { orders, next: more }: Page = await page('paged', `limit=2${next && `&cursor=${next}`}`);
    seen.push(...orders.map(({ item }) => item));
    next = more;
  }
  expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
});

test('a page that ends with the last order leads nowhere', async () => {
  await place('paged-out', 'only');
  expect(await page('paged-out', 'limit=1')).toMatchObject({ orders: [{ item: 'only' }], next: null });
});

test("a cursor leads to nobody else's orders", async () => {
  for (const item of ['a', 'b']) await place('cursor-mine', item);
  const { next } = await page('cursor-mine', 'limit=1');
  expect(await page('cursor-yours', `cursor=${next}`)).toEqual({ orders: [], next: null });
});

test.each([
  'limit=0',
  'limit=101',
  'limit=1.5',
  'limit=-1',
  'limit=x',
  'limit=1&limit=2',
  'cursor=',
  'cursor=x',
])('a list with %s is a bad request', async (query) => {
  await expectProblem(await get('acme', `/orders?${query}`), 400, 'bad-request');
});

test('the same Idempotency-Key and body again answer the same order, and say so', async () => {
  const key = { 'idempotency-key': 'key-1' };
  const first = await post('keyed', { item: 'tea', quantity: 1 }, key);
  const again = await post('keyed', { quantity: 1, item: 'tea' }, key);
  expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([201, null]);
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
  expect(again.headers.get('location')).toBe(first.headers.get('location'));
  expect(await listed('keyed')).toHaveLength(1);
});

test('a replay shows the order as it is now', async () => {
  const key = { 'idempotency-key': 'key-now' };
  const body = { item: 'tea', quantity: 1 };
  const { id } = (await (await post('keyed', body, key)).json()) as Order;
  await cancel('keyed', id);
  expect(await (await post('keyed', body, key)).json()).toMatchObject({ id, status: 'cancelled' });
});

test('the same Idempotency-Key with another body is refused', async () => {
  const key = { 'idempotency-key': 'key-2' };
  await post('keyed', { item: 'tea', quantity: 1 }, key);
  await expectProblem(await post('keyed', { item: 'tea', quantity: 2 }, key), 422, 'idempotency-key-reused');
});

test("an Idempotency-Key is one tenant's", async () => {
  const key = { 'idempotency-key': 'key-3' };
  const mine = (await (await post('keyed', { item: 'tea', quantity: 1 }, key)).json()) as Order;
  const yours = await post('keyed-too', { item: 'coffee', quantity: 1 }, key);
  expect(yours.status).toBe(201);
  expect(((await yours.json()) as Order).id).not.toBe(mine.id);
});

test('requests at once with one Idempotency-Key place one order, and all are answered with it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      post('racing', { item: 'tea', quantity: 1 }, { 'idempotency-key': 'race' }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Order).id));
  expect(new Set(ids).size).toBe(1);
  expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
});

test.each([
  ['empty', ''],
  ['of 201 characters', 'k'.repeat(201)],
  ['with a space', 'a b'],
  ['with an umlaut', '\u00FC'],
])('an Idempotency-Key that is %s is a bad request', async (_name, key) => {
  const answer = await post('acme', { item: 'tea', quantity: 1 }, { 'idempotency-key': key });
  await expectProblem(answer, 400, 'bad-request');
});

test('an order is changed in the state that the client has read', async () => {
  const { id } = await place('changed', 'tea');
  const etag = await settledTag('changed', id);
  const answer = await send('PATCH', 'changed', `/orders/${id}`, { quantity: 7 }, { 'if-match': etag });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('etag')).not.toBe(etag);
  expect(await answer.json()).toMatchObject({ id, item: 'tea', quantity: 7, status: 'confirmed' });
});

test('of two changes of one state, one is refused and nothing is overwritten', async () => {
  const { id } = await place('changed', 'tea');
  const headers = { 'if-match': await settledTag('changed', id) };
  const answers = await Promise.all(
    [2, 3].map((quantity) => send('PATCH', 'changed', `/orders/${id}`, { quantity }, headers)),
  );
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 412]);
});

test('a change that does not say of which state is refused', async () => {
  const { id } = await place('changed', 'tea');
  const answer = await send('PATCH', 'changed', `/orders/${id}`, { quantity: 2 });
  await expectProblem(answer, 428, 'precondition-required');
});

test.each([
  ['nothing', {}],
  ['an unknown member', { status: 'confirmed' }],
  ['a quantity of zero', { quantity: 0 }],
])('a change of %s is a bad request', async (_name, body) => {
  const { id } = await place('changed', 'tea');
  const answer = await send('PATCH', 'changed', `/orders/${id}`, body, { 'if-match': '*' });
  await expectProblem(answer, 400, 'bad-request');
});

test('an If-Match that is none is a bad request', async () => {
  const { id } = await place('changed', 'tea');
  const answer = await send('PATCH', 'changed', `/orders/${id}`, { quantity: 2 }, { 'if-match': '1.1' });
  await expectProblem(answer, 400, 'bad-request');
});

test("another tenant's order is neither changed nor cancelled", async () => {
  const { id } = await place('mine', 'tea');
  const change = await send('PATCH', 'yours', `/orders/${id}`, { quantity: 2 }, { 'if-match': '*' });
  await expectProblem(change, 404, 'not-found');
  await expectProblem(await cancel('yours', id), 404, 'not-found');
});

test('a cancelled order stays so, however often it is cancelled', async () => {
  const { id } = await place('cancelling', 'tea');
  const first = await cancel('cancelling', id);
  const again = await cancel('cancelling', id);
  expect([first.status, again.status]).toEqual([200, 200]);
  expect(again.headers.get('etag')).toBe(first.headers.get('etag'));
  expect(await again.json()).toMatchObject({ status: 'cancelled' });
});

test('a cancelled order is not changed any more', async () => {
  const { id } = await place('cancelling', 'tea');
  await cancel('cancelling', id);
  const answer = await send('PATCH', 'cancelling', `/orders/${id}`, { quantity: 2 }, { 'if-match': '*' });
  await expectProblem(answer, 409, 'order-cancelled');
});

test('a cancellation that names another state is refused', async () => {
  const { id } = await place('cancelling', 'tea');
  await expectProblem(await cancel('cancelling', id, { 'if-match': '"0.0"' }), 412, 'precondition-failed');
});
