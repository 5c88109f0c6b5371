// HTTP/2 clients that mean harm, or write what nobody else would: bounded, and never in the way of the others.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { LIMITS } from '../../router/limits.ts';
import { askHttp2, openHttp2, startTlsRouter } from '../support/http2.ts';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { FLAG, FRAME, headOf, INITIAL_WINDOW, openRawHttp2, type RawHttp2 } from '../support/raw-http2.ts';
import { fleetOf, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const REQUESTS_MOST = 150;

const folder = mkdtempSync(join(tmpdir(), 'cellgate-http2-'));
let cell: StubCell;
let router: RunningRouter;
let ca: Buffer;
/** Requests that the cell holds without an answer. */
let held = 0;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  const roomy = { origin: cell.origin, capacity: { concurrency: 1_000 } };
  const fleet = fleetOf({ 'cell-a': roomy });
  const started = await startTlsRouter(folder, fleet, {
    MAX_CONNECTIONS: String(REQUESTS_MOST),
    FALL: '100',
  });
  ({ router, ca } = started);
  cell.scripts.set('/hold', (_, response) => {
    held += 1;
    response.on('close', () => (held -= 1));
  });
});

// Whatever a client has done, the next one is served, and nothing of the first is left.
afterEach(async () => {
  const session = openHttp2(router, ca);
  expect((await askHttp2(session, '/after')).status).toBe(200);
  session.close();
  await untilNothingInside(router.admin);
});

afterAll(async () => {
  expect(await router.stop()).toBe(0);
  await cell.close();
  rmSync(folder, { recursive: true });
});

async function open(settings: Record<number, number> = {}): Promise<RawHttp2> {
  const client = await openRawHttp2(router.port, ca, settings);
  onTestFinished(() => client.close());
  return client;
}

const MALFORMED: [what: string, fields: [string, string][]][] = [
  ['a connection header', [['connection', 'close']]],
  ['a transfer coding', [['transfer-encoding', 'chunked']]],
  ['an upgrade', [['upgrade', 'websocket']]],
  ['a TE that is not trailers', [['te', 'gzip']]],
  ['an upper-case name', [['X-Own', '1']]],
  ['a second path', [[':path', '/other']]],
  ['an unknown pseudo-header', [[':own', '1']]],
  ['the protocol of an extended CONNECT', [[':protocol', 'websocket']]],
  ['two lengths', [['content-length', '0'], ['content-length', '1']]], // prettier-ignore
];

test.each(MALFORMED)('%s is an error of its stream, and never seen by a cell', async (_, fields) => {
  const client = await open();
  const before = cell.seen.length;
  client.ask(1, '/bad', fields);
  await until('it is reset', () => client.resetOf(1));
  expect(client.resetOf(1)).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
  client.ask(3, '/good');
  await client.untilAnswered(3);
  expect(cell.seen.slice(before).map(({ url }) => url)).toEqual(['/good']);
});

test.each(['/a b', '/a\r\nx: y', '/a\tb', ''])('the path %j reaches no cell', async (path) => {
  const client = await open();
  const before = cell.seen.length;
  client.ask(1, path);
  await until('it is reset', () => client.resetOf(1));
  expect(cell.seen.length).toBe(before);
});

test('a value with a line end in it reaches no cell', async () => {
  const client = await open();
  const before = cell.seen.length;
  client.ask(1, '/line', [['x-own', 'a\r\nx-tenant-id: bolt']]);
  await until('it is over', () => client.resetOf(1) ?? client.frames.some(({ stream }) => stream === 1));
  for (const { headers } of cell.seen.slice(before)) expect(headers).not.toHaveProperty('x-own');
});

test.each([
  ['an error', constants.NGHTTP2_CANCEL],
  ['no error', constants.NGHTTP2_NO_ERROR],
])('a body that its client cuts with %s is never whole to the cell', async (_, code) => {
  const seen = { bytes: 0, left: false, whole: false };
  cell.scripts.set('/cut', (request, response) => {
    request.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
    request.on('end', () => (seen.whole = true)).on('error', () => undefined);
    response.on('close', () => (seen.left = true));
  });
  const client = await open();
  client.send(FRAME.headers, FLAG.endHeaders, 1, headOf('POST', '/cut'));
  client.send(FRAME.data, 0, 1, Buffer.from('half of it'));
  await until('the cell has some', () => seen.bytes > 0);
  client.send(FRAME.reset, 0, 1, code32(code));
  await until('the cell is left', () => seen.left);
  expect(seen.whole).toBe(false);
});

test('who opens streams only to reset them loses the connection', async () => {
  const client = await open();
  for (let i = 0; i < LIMITS.http2Resets + 50; i += 1) {
    client.ask(1 + 2 * i, '/hold');
    client.send(FRAME.reset, 0, 1 + 2 * i, code32(constants.NGHTTP2_CANCEL));
  }
  await client.untilClosed();
  await until('the cell is rid of them', () => held === 0);
});

test('who makes the router reset the streams loses the connection as well', async () => {
  const client = await open();
  for (let i = 0; i < 1_000 && !client.closed; i += 1) client.ask(1 + 2 * i, '/', [['te', 'gzip']]);
  await client.untilClosed();
});

test('more streams at once than are allowed are not served', async () => {
  const client = await open();
  for (let i = 0; i < LIMITS.http2Streams + 1; i += 1) client.ask(1 + 2 * i, '/hold');
  const last = 1 + 2 * LIMITS.http2Streams;
  await until('the last one is refused', () => client.resetOf(last) ?? client.goaways().length > 0);
  expect(held).toBeLessThanOrEqual(LIMITS.http2Streams);
  client.close();
  await until('the cell is rid of them', () => held === 0);
});

test('requests of all connections together are bounded, and those beyond may be sent again', async () => {
  const clients = await Promise.all([open(), open()]);
  const each = REQUESTS_MOST / 2;
  for (const client of clients) for (let i = 0; i < each; i += 1) client.ask(1 + 2 * i, '/hold');
  await until('the cell has them', () => held === REQUESTS_MOST);
  clients[0]?.ask(1 + 2 * each, '/hold');
  await until('one more is refused', () => clients[0]?.resetOf(1 + 2 * each));
  expect(clients[0]?.resetOf(1 + 2 * each)).toBe(constants.NGHTTP2_REFUSED_STREAM);
  for (const client of clients) client.close();
  await until('the cell is rid of them', () => held === 0);
});

test('more fields, or larger ones, than allowed are told as in HTTP/1', async () => {
  const session = openHttp2(router, ca);
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1']));
  const replies = await Promise.all([
    askHttp2(session, '/', many),
    askHttp2(session, '/', { 'x-big': 'a'.repeat(LIMITS.headerBytes) }),
    askHttp2(session, '/'.padEnd(LIMITS.uriBytes + 1, 'a')),
  ]);
  session.close();
  expect(replies.map(({ status }) => status)).toEqual([431, 431, 414]);
});

test('a head beyond all measure is not read', async () => {
  const client = await open();
  await until('the limits are told', () => client.frames.some(({ type }) => type === FRAME.settings));
  const big = headOf('GET', '/', [['x-big', 'a'.repeat(40_000)]]);
  client.send(FRAME.headers, FLAG.endStream, 1, big.subarray(0, 16_000));
  client.send(FRAME.continuation, 0, 1, big.subarray(16_000, 32_000));
  client.send(FRAME.continuation, FLAG.endHeaders, 1, big.subarray(32_000));
  await until('it is refused', () => client.resetOf(1) ?? client.goaways().length > 0);
});

test('a head that goes on and on ends the connection', async () => {
  const client = await open();
  client.send(FRAME.headers, FLAG.endStream, 1, headOf('GET', '/'));
  for (let i = 0; i < 100 && !client.closed; i += 1) client.send(FRAME.continuation, 0, 1, Buffer.alloc(0));
  await client.untilClosed();
});

test.each([
  ['pings', FRAME.ping, Buffer.alloc(8)],
  ['settings', FRAME.settings, Buffer.alloc(0)],
])('a flood of %s ends the connection', async (_, type, payload) => {
  const client = await open();
  while (!client.closed) {
    for (let i = 0; i < 200; i += 1) client.send(type, 0, 0, payload);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('a flood of empty parts of a body ends the connection', async () => {
  const client = await open();
  client.send(FRAME.headers, FLAG.endHeaders, 1, headOf('POST', '/hold'));
  for (let i = 0; i < 1_000 && !client.closed; i += 1) client.send(FRAME.data, 0, 1);
  await client.untilClosed();
});

test('bytes that are no HTTP/2 end the connection', async () => {
  const client = await open();
  client.socket.write('GET / HTTP/1.1\r\nHost: api.test\r\n\r\n');
  await client.untilClosed();
});

test.concurrent('a client that never takes its answer is cut, and keeps nothing of the cell', async () => {
  let left = false;
  cell.scripts.set('/endless', (_, response) => {
    response.on('close', () => (left = true));
    const write = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      response.once('drain', write);
    };
    write();
  });
  const client = await open({ [INITIAL_WINDOW]: 0 });
  client.ask(1, '/endless');
  await until('the answer has begun', () => client.frames.some(({ stream }) => stream === 1));
  await until('it is cut', () => client.resetOf(1), 60_000);
  await until('the cell is left', () => left);
});

test.concurrent('a body that trickles in is told so', async () => {
  const client = await open();
  client.send(FRAME.headers, FLAG.endHeaders, 1, headOf('POST', '/hold'));
  client.send(FRAME.data, 0, 1, Buffer.from('a'));
  await until(
    'it is answered',
    () => client.frames.some(({ type, stream }) => type === 1 && stream === 1),
    60_000,
  );
  await client.untilAnswered(1);
});

test.concurrent('a connection that brings no request is closed', async () => {
  const client = await open();
  await client.untilClosed();
  expect(client.goaways().map(({ code }) => code)).toContain(constants.NGHTTP2_NO_ERROR);
});

test('nothing of all that is left open', async () => {
  await until('no connection is left', async () => {
    return sumOf(await metricsOf(router.admin), 'cellgate_client_connections') === 0;
  });
});

function code32(code: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(code);
  return bytes;
}
