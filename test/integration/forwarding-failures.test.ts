// What a client gets when the exchange with its cell fails, and what the cell sees when its client is gone.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerResponse } from 'node:http';
import { startBlackHole, startSilence, type BlackHole } from '../support/black-hole.ts';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { freePort } from '../support/ports.ts';
import { ask, head, openClient, valuesOf, type RawAnswer } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const CELL_TIMEOUT_MS = 600;

let cell: StubCell;
let hole: BlackHole;
let silence: BlackHole;
let deadPort: number;
let router: RunningRouter;

beforeAll(async () => {
  [cell, hole, silence, deadPort] = await Promise.all([
    startStubCell('cell-a'),
    startBlackHole(),
    startSilence(),
    freePort(),
  ]);
  const cells = {
    'cell-a': { origin: cell.origin },
    'cell-dead': { origin: `http://127.0.0.1:${deadPort}` },
    'cell-hole': { origin: hole.origin },
    'cell-silent': { origin: silence.origin },
  };
  const pins = { acme: 'cell-a', dead: 'cell-dead', hole: 'cell-hole', silent: 'cell-silent' };
  // So slow to judge that no cell is condemned while the tests run: each failure is met on the request path.
  router = await startRouter(fleetOf(cells, { pins }), {
    CELL_TIMEOUT_MS: String(CELL_TIMEOUT_MS),
    CELL_CONNECT_TIMEOUT_MS: '200',
    PROBE_INTERVAL_MS: '2000',
    FALL: '100',
    // Nothing waits for a verdict here: what a failure is told as comes at once.
    HOLD_MAX: '0',
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all([cell.close(), hole.close(), silence.close()]);
});

function askAs(tenant: string, line = 'GET /orders', ...fields: string[]): Promise<RawAnswer> {
  return ask(router.port, head(line, ...fields).replace('x-tenant-id: acme', `x-tenant-id: ${tenant}`));
}

function codeOf(answer: RawAnswer): unknown {
  expect(valuesOf(answer, 'content-type')).toEqual(['application/problem+json']);
  return (JSON.parse(answer.body) as { code: string }).code;
}

/** Has the cell take requests on a path without ever answering; `responses` are theirs. */
function neverAnswering(path: string): ServerResponse[] {
  const responses: ServerResponse[] = [];
  cell.scripts.set(path, (request, response) => {
    request.resume();
    responses.push(response);
  });
  return responses;
}

test.each([503, 502, 504, 500, 429])('a %i of the cell reaches it once and is passed on', async (status) => {
  let asked = 0;
  cell.scripts.set('/own-words', (_, response) => {
    asked += 1;
    response.writeHead(status, { 'content-type': 'text/plain', 'retry-after': '7' }).end('own words');
  });
  const answer = await askAs('acme', 'GET /own-words');
  expect(answer).toMatchObject({ status, body: 'own words' });
  expect(valuesOf(answer, 'retry-after')).toEqual(['7']);
  expect(asked).toBe(1);
});

test('a refused connection is a 502 that names no address', async () => {
  const answer = await askAs('dead');
  expect(answer.status).toBe(502);
  expect(codeOf(answer)).toBe('cell-connection-failed');
  const everything = JSON.stringify(answer);
  expect(everything).not.toContain(String(deadPort));
  expect(everything).not.toContain('127.0.0.1');
  expect(everything).not.toMatch(/ECONN|node_modules|undici| at /);
});

test('a refused POST is a 502, and its body is not lost on the connection', async () => {
  const client = await openClient(router.port);
  const post = head('POST /orders', 'content-length: 5').replace('acme', 'dead');
  client.send(`${post}hello${head('GET /after')}`);
  expect((await client.answer()).status).toBe(502);
  expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: '/after' });
  client.close();
});

test('a cell whose connects are swallowed is a 502 within the connect time-out', async () => {
  const answer = await askAs('hole');
  expect(answer.status).toBe(502);
  expect(codeOf(answer)).toBe('cell-connection-failed');
});

test('a cell that connects and never answers is a 504', async () => {
  const answer = await askAs('silent');
  expect(answer.status).toBe(504);
  expect(codeOf(answer)).toBe('cell-timeout');
});

test('a slow head is a 504, and the cell is told to stop', async () => {
  const responses = neverAnswering('/slow');
  const answer = await askAs('acme', 'GET /slow');
  expect(answer.status).toBe(504);
  expect(codeOf(answer)).toBe('cell-timeout');
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
});

test('a cell that never answers a slow upload is a 504 too', async () => {
  const responses = neverAnswering('/slow-upload');
  const client = await openClient(router.port);
  client.send(`${head('POST /slow-upload', 'transfer-encoding: chunked')}5\r\nhello\r\n`);
  await until('the upload has begun', () => responses.length === 1);
  const begun = performance.now();
  await until(
    'the upload has lasted for two time-outs',
    () => performance.now() - begun > 2 * CELL_TIMEOUT_MS,
  );
  client.send('0\r\n\r\n');
  expect((await client.answer('POST')).status).toBe(504);
  client.close();
});

test('a client that leaves before the head has its request to the cell aborted', async () => {
  const before = sumOf(await metricsOf(router.admin), 'cellgate_clients_gone_total');
  const responses = neverAnswering('/abandoned');
  const client = await openClient(router.port);
  client.send(head('GET /abandoned'));
  await until('the cell has the request', () => responses.length === 1);
  client.close();
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
  await untilNothingInside(router.admin);
  await until('the client is counted', async () => {
    return sumOf(await metricsOf(router.admin), 'cellgate_clients_gone_total') === before + 1;
  });
});

test('a client that leaves amid its upload has its request to the cell aborted', async () => {
  const responses = neverAnswering('/half-sent');
  const client = await openClient(router.port);
  client.send(`${head('POST /half-sent', 'content-length: 1000')}half`);
  await until('the cell has the request', () => responses.length === 1);
  client.reset();
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
  await untilNothingInside(router.admin);
});

test('a client that leaves amid the answer has it aborted at the cell', async () => {
  const responses: ServerResponse[] = [];
  cell.scripts.set('/endless', (_, response) => {
    responses.push(response);
    response.write('first');
  });
  const client = await openClient(router.port);
  client.send(head('GET /endless'));
  await client.untilReceived('first');
  client.close();
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
  await untilNothingInside(router.admin);
});

test('pipelined requests of a client that leaves are all aborted', async () => {
  const responses = neverAnswering('/pipelined');
  const client = await openClient(router.port);
  client.send(head('GET /pipelined').repeat(3));
  await until('the cell has them all', () => responses.length === 3);
  client.close();
  await until('the cell sees its clients gone', () => responses.every((response) => response.destroyed));
  await untilNothingInside(router.admin);
});

test('a cell that goes before the head is a 502', async () => {
  cell.scripts.set('/gone-early', (request) => request.socket.resetAndDestroy());
  const answer = await askAs('acme', 'GET /gone-early');
  expect(answer.status).toBe(502);
  expect(codeOf(answer)).toBe('cell-connection-failed');
});

test('a cell that ends its connection without an answer is a 502', async () => {
  cell.scripts.set('/ended-early', (request) => request.socket.end());
  const answer = await askAs('acme', 'GET /ended-early');
  expect(answer.status).toBe(502);
  expect(codeOf(answer)).toBe('cell-connection-failed');
});

test.each([
  ['with a length', { 'content-length': '100' }],
  ['in chunks', {}],
])('a cell that goes amid an answer %s has it cut, not ended', async (_, headers) => {
  cell.scripts.set('/gone-late', (request, response) => {
    response.writeHead(200, headers).write('part', () => request.socket.resetAndDestroy());
  });
  const answer = await askAs('acme', 'GET /gone-late');
  expect(answer).toMatchObject({ status: 200, whole: false });
  expect(answer.body).not.toContain('0\r\n\r\n');
});

test('an answer of known length that stalls for longer than the time-out is cut', async () => {
  cell.scripts.set('/stalled', (_, response) =>
    response.writeHead(200, { 'content-length': 9 }).write('part'),
  );
  expect(await askAs('acme', 'GET /stalled')).toMatchObject({ status: 200, whole: false });
});

test.each([
  ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['has two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
  [
    'has a length and chunks',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['has a broken field', 'HTTP/1.1 200 OK\r\nbad name\r\n\r\n'],
  ['has a control character in a field', 'HTTP/1.1 200 OK\r\nx-a: b\u0001c\r\ncontent-length: 0\r\n\r\n'],
  ['has a head without end', `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(100_000)}\r\n\r\n`],
])('an answer that %s is a 502', async (_, bytes) => {
  cell.scripts.set('/malformed', (request) => request.socket.end(bytes));
  const answer = await askAs('acme', 'GET /malformed');
  expect(answer.status).toBe(502);
  expect(codeOf(answer)).toBe('cell-bad-response');
});

test('a 101 that nobody asked for is a 502', async () => {
  cell.scripts.set('/switch', (request) =>
    request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  );
  expect((await askAs('acme', 'GET /switch')).status).toBe(502);
});

test('the connection to a client outlives a failed exchange with the cell', async () => {
  cell.scripts.set('/fails', (request) => request.socket.resetAndDestroy());
  const client = await openClient(router.port);
  client.send(head('GET /fails'));
  expect((await client.answer()).status).toBe(502);
  client.send(head('GET /works'));
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test('after all of these nothing is left inside a cell', async () => {
  await untilNothingInside(router.admin);
  expect(router.child.exitCode).toBeNull();
});
