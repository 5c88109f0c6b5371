// The admin port: what it says of the router, of cells and tenants, and what it refuses.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricsOf, parseMetrics } from '../support/metrics.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

type Json = Record<string, unknown>;
type Event = { id: string; at: string; cell: string; from: string; to: string; epoch: number };

let cells: StubCell[];
let router: RunningRouter;

beforeAll(async () => {
  cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => startStubCell(id)));
  const declared = Object.fromEntries(cells.map(({ id, origin }, i) => [id, { origin, zone: `az-${i}` }]));
  router = await startRouter(fleetOf(declared, { pins: { acme: 'cell-b' } }), {
    PROBE_INTERVAL_MS: '50',
    RISE: '2',
    MIN_DWELL_MS: '100',
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all(cells.map((cell) => cell.close()));
});

async function get(path: string): Promise<{ status: number; type: string | null; body: Json }> {
  const answer = await fetch(`${router.admin}${path}`);
  const body = (await answer.json()) as Json;
  return { status: answer.status, type: answer.headers.get('content-type'), body };
}

test('a router that runs says so', async () => {
  expect(await get('/livez')).toMatchObject({ status: 200 });
  expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
});

test('every cell is told, with all that the contract names', async () => {
  const { status, type, body } = await get('/v1/cells');
  expect(status).toBe(200);
  expect(type).toMatch(/^application\/json/);
  const told = body['cells'] as Json[];
  expect(told.map(({ id }) => id)).toEqual(['cell-a', 'cell-b', 'cell-c']);
  expect(told[0]).toMatchObject({
    id: 'cell-a',
    origin: cells[0]?.origin,
    zone: 'az-0',
    state: 'serving',
    target: 'cell-a',
    epoch: 1,
    share: 0,
    since: null,
    cause: null,
    version: '1.0.0',
  });
  expect(told.map(({ neighbour }) => String(neighbour)).sort()).toEqual(['cell-a', 'cell-b', 'cell-c']);
  const buckets = told.map((cell) => cell['buckets'] as number);
  expect(buckets.reduce((sum, count) => sum + count, 0)).toBe(65_536);
});

test('a tenant is explained as a request of it is served', async () => {
  const tenant = 'some-tenant';
  const { body } = await get(`/v1/tenants/${tenant}`);
  const served = await fetch(`${router.url}/`, { headers: { 'x-tenant-id': tenant } });
  expect(served.headers.get('x-cell-id')).toBe(body['cell']);
  expect(body).toMatchObject({ tenant, pin: null, role: 'home', epoch: 1, reason: 'home is serving' });
  expect(body['home']).toBe(body['cell']);
  expect(body['neighbour']).toMatch(/^cell-[abc]$/);
  expect(Object.keys(body).sort()).toEqual(
    ['tenant', 'bucket', 'home', 'neighbour', 'pin', 'cell', 'role', 'epoch', 'reason'].sort(),
  );
});

test('a pinned tenant shows its pin', async () => {
  expect((await get('/v1/tenants/acme')).body).toMatchObject({
    pin: 'cell-b',
    home: 'cell-b',
    cell: 'cell-b',
  });
});

test.each(['café-東京', 'a/b', 'a?b#c%', '🦊'.repeat(32)])('the tenant %s is explained', async (tenant) => {
  const { status, body } = await get(`/v1/tenants/${encodeURIComponent(tenant)}`);
  expect(status).toBe(200);
  expect(body['tenant']).toBe(tenant);
});

test.each([
  ['a space', 'a%20b'],
  ['a control character', 'a%00b'],
  ['a comma', 'a,b'],
  ['129 bytes', 'a'.repeat(129)],
  ['far too many bytes', 'a'.repeat(4000)],
  ['a broken encoding', '%zz'],
  ['bytes that are not UTF-8', '%e9'],
])('a tenant with %s is a 400', async (_, tenant) => {
  const { status, type, body } = await get(`/v1/tenants/${tenant}`);
  expect(status).toBe(400);
  expect(type).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ code: 'admin-invalid', type: 'urn:cellgate:error:admin-invalid' });
});

test.each(['/', '/v1', '/v1/tenants', '/v2/cells', '/metrics/x'])('%s is a 404 of its own', async (path) => {
  const { status, type, body } = await get(path);
  expect(status).toBe(404);
  expect(type).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ code: 'not-found' });
});

test('a method that is not there changes nothing', async () => {
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await fetch(`${router.admin}/v1/cells`, { method });
    expect(answer.status).toBe(404);
  }
});

test('every metric is documented, and every documented metric is there', async () => {
  const names = (text: string, pattern: RegExp): string[] =>
    [...new Set(Array.from(text.matchAll(pattern), ([, name = '']) => name))].sort();
  const told = names(await (await fetch(`${router.admin}/metrics`)).text(), /^# TYPE (cellgate_\w+)/gm);
  const documented = names(readFileSync('docs/admin.md', 'utf8'), /`(cellgate_\w+)/g);
  expect(documented).toEqual(told);
});

test('the metrics are well-formed, and name no tenant however many come', async () => {
  const tenants = Array.from({ length: 200 }, (_, i) => `customer-${i}`);
  await Promise.all(
    tenants.map(async (tenant) => {
      const answer = await fetch(`${router.url}/orders/${tenant}`, { headers: { 'x-tenant-id': tenant } });
      return await answer.text();
    }),
  );
  const answer = await fetch(`${router.admin}/metrics`);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  const text = await answer.text();
  expect(text).not.toContain('customer-');
  const own = parseMetrics(text).filter(({ name }) => name.startsWith('cellgate_'));
  const labels = new Set(own.flatMap((sample) => Object.keys(sample.labels)));
  const bounded = ['cell', 'code', 'home', 'le', 'role', 'state', 'status_class', 'why'];
  expect([...labels].filter((label) => !bounded.includes(label))).toEqual([]);
  expect(own.length).toBeLessThan(300);
});

test('events come newest first, in pages', async () => {
  expect((await get('/v1/events')).body).toEqual({ events: [] });
  const [cell] = cells;
  await cell?.die();
  const eventsNow = async (query = ''): Promise<Event[]> => {
    const { body } = await get(`/v1/events${query}`);
    return body['events'] as Event[];
  };
  await until('the failover is told', async () => (await eventsNow()).length === 1);
  await cell?.reopen();
  // Three handovers, of each the beginning and the end.
  await until('the way home is told', async () => (await eventsNow()).length === 7);

  const events = await eventsNow();
  const [newest, first, oldest] = [events[0], events.at(-2), events.at(-1)];
  expect(oldest).toMatchObject({
    cell: 'cell-a',
    from: 'serving',
    to: 'failed-over',
    epoch: 2,
    actor: 'quorum',
  });
  expect(first).toMatchObject({
    cell: 'cell-a',
    from: 'failed-over',
    to: 'returning',
    epoch: 3,
    cause: 'recovered',
  });
  expect(newest).toMatchObject({ cell: 'cell-a', to: 'serving', epoch: 8, cause: 'recovered' });
  expect(oldest?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Object.keys(oldest ?? {}).sort()).toEqual(
    ['id', 'at', 'cell', 'from', 'to', 'epoch', 'cause', 'actor', 'reason', 'details']
      .concat('tenantSecondsRefused')
      .sort(),
  );
  expect(await eventsNow('?limit=1')).toEqual([newest]);
  expect(await eventsNow(`?after=${oldest?.id}`)).toEqual(events.slice(0, -1));
  expect(await eventsNow(`?after=${newest?.id}`)).toEqual([]);
});

test.each([
  'limit=0',
  'limit=1001',
  'limit=x',
  'limit=',
  'limit=1&limit=2',
  'after=x',
  'after=',
  'after=9999999999999999-0',
])('events of %s are a 400', async (query) => {
  expect(await get(`/v1/events?${query}`)).toMatchObject({ status: 400, body: { code: 'admin-invalid' } });
});

test('the gauges tell the state of every home', async () => {
  const samples = await metricsOf(router.admin);
  const states = samples.filter(({ name }) => name === 'cellgate_home_state');
  expect(states.map(({ labels }) => labels)).toEqual(
    ['cell-a', 'cell-b', 'cell-c'].map((home) => ({ home, state: 'serving' })),
  );
});
