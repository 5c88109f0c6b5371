// HTTP/2 towards clients: requests and answers mean to a cell and to a client what they mean in HTTP/1.1.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientHttp2Session } from 'node:http2';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askHttp2, openHttp2, openStream, replyTo, startTlsRouter } from '../support/http2.ts';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { fleetOf, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'cellgate-http2-'));
let cells: StubCell[] = [];
let router: RunningRouter;
let ca: Buffer;
let authority: string;
let session: ClientHttp2Session;

beforeAll(async () => {
  cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => startStubCell(id)));
  const fleet = fleetOf(Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])), {
    pins: { acme: 'cell-a', bolt: 'cell-b', cask: 'cell-c' },
  });
  const started = await startTlsRouter(folder, fleet, { MAX_BODY_BYTES: '1000000' });
  ({ router, ca } = started);
  authority = started.files.authority;
  session = openHttp2(router, ca);
});

afterAll(async () => {
  session.close();
  await untilNothingInside(router.admin);
  expect(await router.stop()).toBe(0);
  await Promise.all(cells.map((cell) => cell.close()));
  rmSync(folder, { recursive: true });
});

/** What the cell of `acme` does on a path. */
function script(path: string, handler: Parameters<StubCell['scripts']['set']>[1]): void {
  cells[0]?.scripts.set(path, handler);
}

function sha(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

test('a request reaches its cell, and its answer comes back with lower-case fields', async () => {
  script('/fields', (_, response) => {
    response.writeHead(200, { 'X-Own': 'é', 'Set-Cookie': ['a=1', 'b=2'], 'Keep-Alive': 'timeout=5' });
    response.end('hello');
  });
  const { status, headers, body } = await askHttp2(session, '/fields');
  expect([status, body.toString(), headers['x-own'], headers['set-cookie'], headers['x-cell-id']]).toEqual([
    200,
    'hello',
    'é',
    ['a=1', 'b=2'],
    'cell-a',
  ]);
  expect(headers['keep-alive']).toBeUndefined();
  expect(headers['x-request-id']).toMatch(/./);
});

test('the cell is told of HTTPS, of the host, and of the target byte for byte', async () => {
  const path = '/a//b/%2e%2E/c;x=1?q=%00&r=[1]|"\\';
  const { body } = await askHttp2(session, path, { ':authority': 'api.test:8443', te: 'trailers' });
  const seen = JSON.parse(body.toString()) as { url: string; headers: Record<string, string> };
  expect(seen.url).toBe(path);
  expect(seen.headers).toMatchObject({
    host: 'api.test:8443',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'api.test:8443',
    'x-forwarded-for': '127.0.0.1',
  });
  expect(seen.headers['te']).toBeUndefined();
});

test('cookies that come in crumbs reach the cell as one field', async () => {
  const { body } = await askHttp2(session, '/cookies', { cookie: ['a=1', 'b=2', 'c=3'] });
  expect((JSON.parse(body.toString()) as { headers: { cookie: string } }).headers.cookie).toBe(
    'a=1; b=2; c=3',
  );
});

test('a hundred streams at once go each to its own cell', async () => {
  const tenants = ['acme', 'bolt', 'cask'];
  const replies = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const { body } = await askHttp2(session, `/many/${i}`, { 'x-tenant-id': tenants[i % 3] ?? '' });
      const { cell, url } = JSON.parse(body.toString()) as { cell: string; url: string };
      return [cell, url];
    }),
  );
  expect(replies).toEqual(replies.map((_, i) => [`cell-${'abc'[i % 3]}`, `/many/${i}`]));
});

test('a body with its length passes both ways byte for byte', async () => {
  script('/echo', (request, response) => {
    response.setHeader('x-length', String(request.headers['content-length']));
    request.pipe(response);
  });
  const sent = randomBytes(65_536);
  const { body, headers } = await askHttp2(
    session,
    '/echo',
    { ':method': 'POST', 'content-length': sent.length },
    sent,
  );
  expect([sha(body), headers['x-length']]).toEqual([sha(sent), '65536']);
});

test('a body without a length reaches the cell in chunks, and whole', async () => {
  script('/coded', (request, response) => {
    response.setHeader('x-coding', String(request.headers['transfer-encoding']));
    request.pipe(response);
  });
  const sent = randomBytes(700_000);
  const { body, headers } = await askHttp2(session, '/coded', { ':method': 'POST' }, sent);
  expect([sha(body), headers['x-coding'], headers['content-length']]).toEqual([
    sha(sent),
    'chunked',
    undefined,
  ]);
});

test('a POST without a body is one without a body to its cell', async () => {
  const { body } = await askHttp2(session, '/empty', { ':method': 'POST' });
  const { headers, body: seen } = JSON.parse(body.toString()) as {
    headers: Record<string, string>;
    body: string;
  };
  expect([headers['transfer-encoding'], seen]).toEqual([undefined, '']);
});

test('a body that contradicts its length is refused, and the cell never takes it for whole', async () => {
  let ended = false;
  let closed = false;
  let begun = false;
  script('/short', (request, response) => {
    begun = true;
    request.resume().on('end', () => (ended = true));
    response.on('close', () => (closed = true));
  });
  const stream = openStream(session, '/short', { ':method': 'POST', 'content-length': 10 }, false);
  const reply = replyTo(stream);
  stream.write('sh');
  await until('the cell has it', () => begun);
  stream.end('ort');
  expect((await reply).resetCode).toBe(1);
  await until('the cell is left', () => closed);
  expect(ended).toBe(false);
});

test('HEAD has a length and no body', async () => {
  script('/head', (_, response) => {
    response.setHeader('content-length', 1234);
    response.end();
  });
  const { status, headers, body, resetCode } = await askHttp2(session, '/head', { ':method': 'HEAD' });
  expect([status, headers['content-length'], body.length, resetCode]).toEqual([200, '1234', 0, 0]);
});

test.each([204, 205, 304])('%i ends with its head', async (status) => {
  script('/bare', (_, response) => {
    response.statusCode = status;
    response.end();
  });
  const reply = await askHttp2(session, '/bare');
  expect([reply.status, reply.body.length, reply.resetCode]).toEqual([status, 0, 0]);
});

test('a client that asks first is told to go on with its body once there is a cell', async () => {
  const stream = openStream(session, '/asked', { ':method': 'POST', expect: '100-continue' }, false);
  const reply = replyTo(stream);
  await new Promise((resolve) => stream.once('continue', resolve));
  stream.end('body');
  expect((JSON.parse((await reply).body.toString()) as { body: string }).body).toBe('body');
});

test('an expectation that is none is refused', async () => {
  const { status, body } = await askHttp2(session, '/asked', { ':method': 'POST', expect: 'magic' }, 'x');
  expect([status, (JSON.parse(body.toString()) as { code: string }).code]).toEqual([
    417,
    'expectation-failed',
  ]);
});

test('a refusal is problem+json, and the connection goes on', async () => {
  const { status, headers, body } = await askHttp2(session, '/none', { 'x-tenant-id': '' });
  expect([status, headers['content-type'], JSON.parse(body.toString())]).toMatchObject([
    400,
    'application/problem+json',
    { code: 'tenant-invalid' },
  ]);
  expect((await askHttp2(session, '/next')).status).toBe(200);
});

test('a refusal of HEAD has no body', async () => {
  const { status, body, resetCode } = await askHttp2(session, '/', { ':method': 'HEAD', 'x-tenant-id': '' });
  expect([status, body.length, resetCode]).toEqual([400, 0, 0]);
});

test('a refusal before the body has come is read to its end, and ends the body', async () => {
  const stream = openStream(session, '/big', { ':method': 'POST', 'content-length': 2_000_000 }, false);
  const reply = await replyTo(stream);
  expect([
    reply.status,
    (JSON.parse(reply.body.toString()) as { code: string }).code,
    reply.resetCode,
  ]).toEqual([413, 'body-too-large', 0]);
});

test('a body beyond the limit without a length is refused', async () => {
  script('/sink', (request) => void request.resume());
  const stream = openStream(session, '/sink', { ':method': 'POST' }, false);
  const reply = replyTo(stream);
  stream.write(Buffer.alloc(600_000));
  stream.write(Buffer.alloc(600_000));
  const { status, body } = await reply;
  expect([status, (JSON.parse(body.toString()) as { code: string }).code]).toEqual([413, 'body-too-large']);
});

test.each([
  ['two hosts that differ', { ':authority': 'a.test', host: 'b.test' }],
  ['a method that nobody knows', { ':method': 'FETCH' }],
  ['a host that is none', { ':authority': 'a.test:x' }],
])('%s make a bad request', async (_, headers) => {
  const { status, body } = await askHttp2(session, '/', headers);
  expect([status, (JSON.parse(body.toString()) as { code: string }).code]).toEqual([400, 'bad-request']);
});

test('two hosts that agree are one', async () => {
  expect((await askHttp2(session, '/', { ':authority': 'a.test', host: 'A.test' })).status).toBe(200);
});

test('trailers end at the router', async () => {
  script('/trailers', (request, response) => {
    request.resume().on('end', () => response.end(JSON.stringify(request.trailers)));
  });
  const stream = session.request(
    { ':path': '/trailers', ':method': 'POST', 'x-tenant-id': 'acme' },
    { endStream: false, waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sent': '1' }));
  const reply = replyTo(stream);
  stream.end('body');
  expect((await reply).body.toString()).toBe('{}');
});

test('a connection counts as one, and as one of HTTP/2', async () => {
  const families = await metricsOf(router.admin);
  expect(sumOf(families, 'cellgate_client_http2_connections')).toBeGreaterThanOrEqual(1);
  expect(sumOf(families, 'cellgate_client_connections')).toBeGreaterThanOrEqual(1);
});

test('curl is answered over HTTP/2', async () => {
  const told = ['-o', '/dev/null', '-w', '%{http_version} %{response_code}'];
  const asked = ['-s', '--http2', '--cacert', authority, '-H', 'x-tenant-id: acme', `${router.url}/curl`];
  const { stdout } = await promisify(execFile)('curl', [...told, ...asked]);
  expect(stdout).toBe('2 200');
});
