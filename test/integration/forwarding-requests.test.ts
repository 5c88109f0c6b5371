// Methods and targets reach the cell byte for byte; what is not well-formed HTTP is refused with a clear status.
import { METHODS } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, head, openClient, pairs, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

let cell: StubCell;
let router: RunningRouter;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }));
});

afterAll(async () => {
  await router.stop();
  await cell.close();
});

test.each([
  '/',
  '//',
  '//double//slash/',
  '/a%2Fb',
  '/nul%00',
  '/a/..;/b',
  '/a/../b/./c',
  '/?',
  '/q?a=1?b=2',
  '/broken%zz%',
  '/space%20plus+',
  '/{curly}|pipe^`"<>',
  '/semi;colon,comma:colon@at',
  '/:tenant/*',
  '/long?'.padEnd(8192, 'a'),
])('the target %s reaches the cell byte for byte', async (target) => {
  cell.seen.length = 0;
  const answer = await ask(router.port, head(`GET ${target}`));
  expect(answer.status).toBe(200);
  expect(cell.seen[0]?.url).toBe(target);
});

test.each([
  ['http://shop.test/a?b', '/a?b', 'shop.test'],
  ['http://shop.test:81', '/', 'shop.test:81'],
  ['HTTP://shop.test?q', '/?q', 'shop.test'],
])('the absolute form %s is asked of the cell as %s of %s', async (target, path, host) => {
  cell.seen.length = 0;
  expect((await ask(router.port, head(`GET ${target}`))).status).toBe(200);
  expect(cell.seen[0]).toMatchObject({ url: path, headers: { host } });
});

/** RFC 9110's, WebDAV's, and those of caches and devices. */
const PASSING = METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE' && method !== 'HEAD');

test.each(PASSING)('%s passes', async (method) => {
  const answer = await ask(router.port, head(`${method} /any`));
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ method });
});

test('TRACE is refused, with the methods that are allowed', async () => {
  const answer = await ask(router.port, head('TRACE /'));
  expect(answer.status).toBe(405);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'method-not-allowed' });
  expect(valuesOf(answer, 'allow')[0]).toContain('GET');
});

test('CONNECT is refused, and the connection ended', async () => {
  const client = await openClient(router.port);
  client.send('CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n');
  const answer = await client.answer('CONNECT');
  expect(answer.status).toBe(405);
  await client.untilClosed();
});

test('clients that break off behind a CONNECT or an upgrade do not harm the router', async () => {
  const first = 'CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n';
  const second = head('GET /ws', 'Connection: Upgrade', 'Upgrade: websocket');
  for (let i = 0; i < 40; i += 1) {
    const client = await openClient(router.port);
    client.send(i % 2 === 0 ? first.repeat(200) : second.repeat(50));
    await new Promise((resolve) => setImmediate(resolve));
    client.reset();
  }
  expect((await ask(router.port, head('GET /alive'))).status).toBe(200);
  expect(router.child.exitCode).toBeNull();
});

test.each([
  ['*', 'GET'],
  ['shop.test:443', 'GET'],
  ['ftp://shop.test/a', 'GET'],
])('the target %s of %s is refused', async (target, method) => {
  const answer = await ask(router.port, head(`${method} ${target}`));
  expect(answer.status).toBe(400);
});

test.each([
  ['a space in a field name', 'Bad Name: 1'],
  ['a space before the colon', 'X-Bad : 1'],
  ['an empty field name', ': 1'],
  ['two lengths', 'Content-Length: 1\r\nContent-Length: 2'],
  ['the same length twice', 'Content-Length: 1\r\nContent-Length: 1'],
  ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked'],
  ['chunks that are not the last coding', 'Transfer-Encoding: chunked, gzip'],
  ['a length that is no number', 'Content-Length: 1a'],
  ['a folded line', 'X-A: 1\r\n X-B: 2'],
  ['a NUL in a value', 'X-A: b\0c'],
  ['a second host', 'Host: other.test'],
])('%s is a 400, and the cell is not asked', async (_, field) => {
  cell.seen.length = 0;
  expect((await ask(router.port, `${head('POST /bad', field)}0\r\n\r\n`)).status).toBe(400);
  expect(cell.seen).toEqual([]);
});

test.each(['/caf\u00e9', '/?\u00ff', '/\u0001', '/a\tb'])('%j is not a target: a 400', async (target) => {
  expect((await ask(router.port, head(`GET ${target}`))).status).toBe(400);
});

test('a request without a host is a 400', async () => {
  const answer = await ask(router.port, 'GET / HTTP/1.1\r\nx-tenant-id: acme\r\n\r\n');
  expect(answer.status).toBe(400);
});

test('an unknown method is a 400', async () => {
  expect((await ask(router.port, head('FETCH /'))).status).toBe(400);
});

test('a head beyond all reading is a 431, and the router goes on', async () => {
  expect((await ask(router.port, head('GET /', `X-Long: ${'a'.repeat(100_000)}`))).status).toBe(431);
  expect((await ask(router.port, head('GET /'))).status).toBe(200);
});

test('an expectation that nobody knows is a 417, and the cell is not asked', async () => {
  cell.seen.length = 0;
  const answer = await ask(router.port, head('GET /', 'Expect: miracles'));
  expect(answer.status).toBe(417);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'expectation-failed' });
  expect(cell.seen).toEqual([]);
});

test('pipelined requests are answered in their order', async () => {
  const client = await openClient(router.port);
  client.send(['/one', '/two', '/three'].map((path) => head(`GET ${path}`)).join(''));
  for (const path of ['/one', '/two', '/three']) {
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: path });
  }
  client.close();
});

test('as many fields as a request may have pass', async () => {
  cell.seen.length = 0;
  const fields = Array.from({ length: 98 }, (_, i) => `X-Field-${i}: ${i}`);
  expect((await ask(router.port, head('GET /many', ...fields))).status).toBe(200);
  const names = pairs(cell.seen[0]?.rawHeaders ?? []).map(([name]) => name);
  expect(names.filter((name) => name.startsWith('X-Field-'))).toHaveLength(98);
});

test('after all of these every connection between the router and clients is gone', async () => {
  await until('the router answers', async () => (await ask(router.port, head('GET /'))).status === 200);
  expect(router.child.exitCode).toBeNull();
});
