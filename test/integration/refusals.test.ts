// Every refusal that can be provoked: its status, its code, and what it tells the client besides.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startSilence, type BlackHole } from '../support/black-hole.ts';
import { freePort } from '../support/ports.ts';
import { ask, head, valuesOf, type RawAnswer } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

let cell: StubCell;
let small: StubCell;
let silence: BlackHole;
let router: RunningRouter;

beforeAll(async () => {
  [cell, small, silence] = await Promise.all([
    startStubCell('cell-a'),
    startStubCell('cell-small'),
    startSilence(),
  ]);
  cell.scripts.set('/malformed', (request) => request.socket.end('nonsense\r\n\r\n'));
  const cells = {
    'cell-a': { origin: cell.origin },
    'cell-small': { origin: small.origin, capacity: { concurrency: 1 } },
    'cell-dead': { origin: `http://127.0.0.1:${await freePort()}` },
    'cell-silent': { origin: silence.origin },
  };
  const pins = { acme: 'cell-a', small: 'cell-small', dead: 'cell-dead', silent: 'cell-silent' };
  const routes = [
    { path: '/login', tenantless: 'cell-a' },
    { path: '/login/admin', tenantless: 'cell-small' },
    { path: '/docs', tenantless: { hash: 'client-address' } },
    { path: '/quick', timeoutMs: 200 },
  ];
  router = await startRouter(fleetOf(cells, { pins, routes }), {
    CELL_TIMEOUT_MS: '60000',
    MAX_BODY_BYTES: '100',
    PROBE_INTERVAL_MS: '2000',
    FALL: '100',
    // Nothing waits for a verdict here: what a failure is told as comes at once.
    HOLD_MAX: '0',
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all([cell.close(), small.close(), silence.close()]);
});

type Expected = { status: number; code: string; proxyStatus: string; retryAfter?: string; allow?: string };

function expectRefusal(answer: RawAnswer, expected: Expected): void {
  const { status, code, proxyStatus, retryAfter, allow } = expected;
  expect(answer.status).toBe(status);
  expect(valuesOf(answer, 'content-type')).toEqual(['application/problem+json']);
  expect(valuesOf(answer, 'proxy-status')).toEqual([`cellgate; error=${proxyStatus}`]);
  expect(valuesOf(answer, 'cache-control')).toEqual(['no-store']);
  expect(valuesOf(answer, 'retry-after')).toEqual(retryAfter === undefined ? [] : [retryAfter]);
  expect(valuesOf(answer, 'allow')).toEqual(allow === undefined ? [] : [allow]);
  const problem = JSON.parse(answer.body) as Record<string, unknown>;
  expect(problem).toMatchObject({ type: `urn:cellgate:error:${code}`, status, code });
  expect(problem['title']).toMatch(/^[A-Z].*\.$/);
  expect([problem['requestId']]).toEqual(valuesOf(answer, 'x-request-id'));
  expect(answer.body).not.toMatch(/127\.0\.0\.1|ECONN|node:|undici/);
}

const DENIED = 'http_request_denied';

test.each<[string, string, Expected]>([
  [
    'no tenant',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    { status: 400, code: 'tenant-missing', proxyStatus: DENIED },
  ],
  [
    'an empty tenant',
    'GET / HTTP/1.1\r\nHost: a\r\nx-tenant-id:\r\n\r\n',
    { status: 400, code: 'tenant-invalid', proxyStatus: DENIED },
  ],
  [
    'a tenant of 129 bytes',
    head('GET /').replace('acme', 'a'.repeat(129)),
    { status: 400, code: 'tenant-invalid', proxyStatus: DENIED },
  ],
  [
    'a tenant with a space',
    head('GET /').replace('acme', 'a b'),
    { status: 400, code: 'tenant-invalid', proxyStatus: DENIED },
  ],
  [
    'a tenant with a control character',
    head('GET /').replace('acme', 'a\tb'),
    { status: 400, code: 'tenant-invalid', proxyStatus: DENIED },
  ],
  [
    'a tenant that is not UTF-8',
    head('GET /').replace('acme', 'caf\u00e9'),
    { status: 400, code: 'tenant-invalid', proxyStatus: DENIED },
  ],
  [
    'two tenants',
    head('GET /', 'X-Tenant-Id: other'),
    { status: 400, code: 'tenant-conflict', proxyStatus: DENIED },
  ],
  [
    'a target that is no path',
    head('GET ftp://shop.test/a'),
    { status: 400, code: 'bad-request', proxyStatus: 'http_request_error' },
  ],
  [
    'the part of a cell that is not for clients',
    head('PUT /a/..%2f%252ecellgate/serving'),
    { status: 400, code: 'bad-request', proxyStatus: 'http_request_error' },
  ],
  [
    'TRACE',
    head('TRACE /'),
    {
      status: 405,
      code: 'method-not-allowed',
      proxyStatus: DENIED,
      allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    },
  ],
  [
    'CONNECT',
    'CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n',
    {
      status: 405,
      code: 'method-not-allowed',
      proxyStatus: DENIED,
      allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    },
  ],
  [
    'a POST to a route that is hashed by the address',
    head('POST /docs/a'),
    { status: 405, code: 'method-not-allowed', proxyStatus: DENIED, allow: 'GET, HEAD, OPTIONS' },
  ],
  [
    'a body that is too large',
    `${head('POST /', 'Content-Length: 101')}${'a'.repeat(101)}`,
    { status: 413, code: 'body-too-large', proxyStatus: 'http_request_error' },
  ],
  [
    'an unknown expectation',
    head('GET /', 'Expect: miracles'),
    { status: 417, code: 'expectation-failed', proxyStatus: 'http_request_error' },
  ],
  [
    'a cell that refuses connections',
    head('GET /').replace('acme', 'dead'),
    {
      status: 502,
      code: 'cell-connection-failed',
      proxyStatus: 'connection_terminated',
      retryAfter: '1',
    },
  ],
  [
    'a cell that talks nonsense',
    head('GET /malformed'),
    { status: 502, code: 'cell-bad-response', proxyStatus: 'http_protocol_error' },
  ],
  [
    'a cell that is silent',
    head('GET /quick').replace('acme', 'silent'),
    { status: 504, code: 'cell-timeout', proxyStatus: 'http_response_timeout' },
  ],
])('%s', async (_, bytes, expected) => {
  expectRefusal(await ask(router.port, bytes), expected);
});

test('a cell without room', async () => {
  let release: (() => void) | undefined;
  small.scripts.set('/long', (_, response) => (release = () => response.end()));
  const asSmall = head('GET /long').replace('acme', 'small');
  const first = ask(router.port, asSmall);
  await until('the only place is taken', () => release);
  expectRefusal(await ask(router.port, asSmall), {
    status: 503,
    code: 'cell-overloaded',
    proxyStatus: 'connection_limit_reached',
    retryAfter: '1',
  });
  release?.();
  expect((await first).status).toBe(200);
  expect((await ask(router.port, head('GET /other'))).status).toBe(200);
});

test('a router that does not know yet which cells serve', async () => {
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin }, 'cell-silent': { origin: silence.origin } });
  // Ready means every cell was asked once; the silent one takes its time.
  const env = { PROBE_TIMEOUT_MS: '60000' };
  const starting = await startRouter(fleet, env, { untilReady: false });
  onTestFinished(async () => void (await starting.stop()));
  expectRefusal(await ask(starting.port, head('GET /')), {
    status: 503,
    code: 'router-not-ready',
    proxyStatus: 'proxy_internal_response',
    retryAfter: '1',
  });
  const readyz = await fetch(`${starting.admin}/readyz`);
  expect(readyz.status).toBe(503);
  expect((await fetch(`${starting.admin}/livez`)).status).toBe(200);
  expect(await starting.stop()).toBe(0);
});

test('a refusal of a HEAD has the head of the refusal alone', async () => {
  const answer = await ask(router.port, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer).toMatchObject({ status: 400, body: '' });
  expect(valuesOf(answer, 'content-type')).toEqual(['application/problem+json']);
});

test('every refusal is counted by its code and told in the log, without the client’s own words', async () => {
  await ask(router.port, head('GET /secret?token=hush', 'X-Request-Id: told-1', 'X-Tenant-Id: other'));
  const line = await until('it is told', () => router.logs.find((one) => one['requestId'] === 'told-1'));
  expect(line).toMatchObject({ status: 400, code: 'tenant-conflict', method: 'GET', cell: null });
  expect(JSON.stringify(router.logs)).not.toMatch(/hush|\/secret/);
  const metrics = await (await fetch(`${router.admin}/metrics`)).text();
  expect(metrics).toMatch(/cellgate_refusals_total\{code="tenant-conflict"\} \d/);
});

test.each([
  ['POST', '/login', 'cell-a'],
  ['GET', '/login/x?tenant=1', 'cell-a'],
  ['DELETE', '/login/admin/y', 'cell-small'],
])('%s %s needs no tenant and goes to %s', async (method, path, to) => {
  const answer = await ask(router.port, `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect(answer.status).toBe(200);
  const seen = JSON.parse(answer.body) as { cell: string; headers: Record<string, string> };
  expect(seen.cell).toBe(to);
  expect(seen.headers['x-tenant-id']).toBeUndefined();
});

test('a route ends at a segment: its neighbours by name need a tenant', async () => {
  for (const path of ['/loginx', '/', '/Login']) {
    const answer = await ask(router.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'tenant-missing' });
  }
});

test("a client's tenant does not reach a cell on a route without tenants", async () => {
  const answer = await ask(router.port, head('GET /login'));
  const seen = JSON.parse(answer.body) as { headers: Record<string, string> };
  expect(seen.headers['x-tenant-id']).toBeUndefined();
});
