// The description of the API: it says all that is there, and who may ask for it.
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bareApp } from '../../support/bare-app.ts';

/** Not for those who use the API: the description itself, what scrapers read, and what routers speak (docs/cell-contract.md). */
const UNDESCRIBED = new Set([
  'GET /openapi.json',
  'GET /.cellgate/metrics',
  'GET /health',
  'PUT /.cellgate/serving',
]);

type Operation = {
  requestBody?: object;
  responses: Record<string, { content?: object; description: string }>;
};
type Description = { openapi: string; paths: Record<string, Record<string, Operation>> };

let app: FastifyInstance;
let description: Description;

beforeAll(async () => {
  app = await bareApp();
  description = (await app.inject('/openapi.json')).json<Description>();
});

afterAll(async () => {
  await app?.close();
});

/** Of the tree that fastify prints: four characters for each level. */
function routesOf(server: FastifyInstance): string[] {
  const path: string[] = [];
  return server
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent, segment, methods] = /^([\s│├└─]*)(\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
      if (indent === undefined || segment === undefined) return [];
      path.splice(indent.length / 4 - 1, Infinity, segment);
      return (methods ?? '').split(', ').map((method) => `${method} ${path.join('').replace('//', '/')}`);
    })
    .filter((route) => /^(GET|POST|PUT|PATCH|DELETE) /.test(route));
}

function operations(): [string, Operation][] {
  return Object.entries(description.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      operation,
    ]),
  );
}

test('every route is described, and nothing else', () => {
  const routes = routesOf(app).filter((route) => !UNDESCRIBED.has(route));
  expect(routes).toContain('POST /orders/:id/cancel');
  expect(
    operations()
      .map(([route]) => route)
      .sort(),
  ).toEqual([...new Set(routes)].sort());
});

test('every answer is described, refusals as problems', () => {
  for (const [route, { responses }] of operations()) {
    expect(
      Object.keys(responses).some((status) => /^[12]/.test(status)),
      route,
    ).toBe(true);
    expect(Object.keys(responses['4XX']?.content ?? {}), route).toEqual(['application/problem+json']);
  }
});

test('the bodies of writes are described', () => {
  const withBody = operations().flatMap(([route, { requestBody }]) =>
    requestBody === undefined ? [] : [route],
  );
  expect(withBody.sort()).toEqual(['PATCH /orders/:id', 'POST /.cellgate/conflicts/settle', 'POST /orders']);
});

test.each([
  ['none', {}],
  ['another', { authorization: 'Bearer other' }],
  ['the right one in another scheme', { authorization: 'Basic secret' }],
])('where the cell has a token, %s is refused', async (_name, headers) => {
  const guarded = await bareApp({ token: 'secret' });
  const answer = await guarded.inject({ url: '/.cellgate/dead-letters', headers });
  expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
  expect(answer.json()).toMatchObject({ code: 'unauthorized' });
  await guarded.close();
});

test('the right token is let in, from wherever it comes', async () => {
  const guarded = await bareApp({ token: 'secret' });
  const answer = await guarded.inject({
    url: '/.cellgate/dead-letters',
    headers: { authorization: 'Bearer secret', 'x-forwarded-for': '203.0.113.9' },
    remoteAddress: '203.0.113.7',
  });
  expect(answer.statusCode).toBe(200);
  await guarded.close();
});

test.each([
  ['this machine', '127.0.0.1', {}, 200],
  ['another machine', '203.0.113.7', {}, 401],
  ['a proxy on this machine', '127.0.0.1', { 'x-forwarded-for': '203.0.113.7' }, 401],
])('without a token, operators on %s get %#', async (_name, remoteAddress, headers, status) => {
  const answer = await app.inject({ url: '/.cellgate/conflicts', remoteAddress, headers });
  expect(answer.statusCode).toBe(status);
});

test('metrics name neither tenants nor anything else of clients', async () => {
  await app.inject({ url: '/secret-path', headers: { 'x-tenant-id': 'secret-tenant' } });
  const { body } = await app.inject('/.cellgate/metrics');
  expect(body).toMatch(/cell_requests_total\{status_class="4xx"\} \d/);
  expect(body).not.toContain('secret');
});
