// Where one message ends and the next begins: whatever could be read in two ways is refused, and nothing behind it is read.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startStrictCell, type StrictCell } from '../../loadtest/stubs/strict-cell.ts';
import { untilNothingInside } from '../support/metrics.ts';
import { head, openClient, valuesOf, type RawClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

let cell: StrictCell;
let router: RunningRouter;

beforeAll(async () => {
  cell = await startStrictCell();
  router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), { FALL: '100', HOLD_MAX: '0' });
});

beforeEach(() => {
  cell.seen.length = 0;
});

afterAll(async () => {
  await router.stop();
  await cell.close();
  expect(cell.faults).toEqual([]);
});

const SMUGGLED = head('GET /smuggled');
const EMPTY_CHUNKS = '0\r\n\r\n';

async function sending(bytes: string): Promise<RawClient> {
  const client = await openClient(router.port);
  client.send(bytes);
  return client;
}

function chunked(...chunks: string[]): string {
  return head('POST /chunks', 'Transfer-Encoding: chunked') + chunks.join('');
}

function coded(value: string): string {
  return head('POST /coded', `Transfer-Encoding: ${value}`) + EMPTY_CHUNKS;
}

function long(...values: string[]): string {
  return `${head('POST /long', ...values.map((value) => `Content-Length: ${value}`))}a`;
}

test.each([
  [
    'both a length and chunks',
    head('POST /', 'Content-Length: 5', 'Transfer-Encoding: chunked') + EMPTY_CHUNKS,
  ],
  ['chunks and a length', head('POST /', 'Transfer-Encoding: chunked', 'Content-Length: 5') + EMPTY_CHUNKS],
  ['two lengths', long('1', '2')],
  ['a list of lengths', long('1, 1')],
  ['a length with a sign', long('+1')],
  ['a negative length', long('-1')],
  ['a hexadecimal length', long('0x1')],
  ['an empty length', long('')],
  ['a length beyond all numbers', long('99999999999999999999999')],
  ['a length that no number holds exactly', long('9007199254740993')],
  ['chunks twice', coded('chunked, chunked')],
  ['chunks that are not last', coded('chunked, gzip')],
  ['a coding before the chunks', coded('gzip, chunked')],
  ['identity before the chunks', coded('identity,chunked')],
  ['a coding alone', coded('gzip')],
  ['no coding', coded('')],
  ['identity', coded('identity')],
  ['something like chunked', coded('xchunked')],
  ['chunked in quotes', coded('"chunked"')],
  ['chunked behind a control character', coded('\x0bchunked')],
  ['chunked behind an empty coding', coded(',chunked')],
  ['chunked with a parameter', coded('chunked;q=1')],
  [
    'codings in two lines',
    head('POST /', 'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked') + EMPTY_CHUNKS,
  ],
  [
    'an upgrade with chunks',
    head('GET /', 'Transfer-Encoding: chunked\t', 'Connection: Upgrade', 'Upgrade: x') + EMPTY_CHUNKS,
  ],
  ['chunks in HTTP/1.0', coded('chunked').replace('HTTP/1.1', 'HTTP/1.0')],
  ['a chunk size that is no number', chunked('zz\r\na\r\n')],
  ['a chunk size beyond all numbers', chunked('fffffffffffffffff\r\na\r\n')],
  ['a chunk size with a sign', chunked('-1\r\na\r\n')],
  ['a chunk size with a prefix', chunked('0x1\r\na\r\n')],
  ['a chunk size that ends in a bare LF', chunked('1\na\r\n')],
  ['a chunk extension with a bare LF', chunked('1;a\nb\r\na\r\n')],
  ['a chunk that is longer than it says', chunked('1\r\nab\r\n')],
  ['a length among the trailers', chunked(`1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n`)],
  ['lines that end in a bare LF', head('GET /').replaceAll('\r\n', '\n')],
  ['a field that ends in a bare LF', head('GET /', 'X-A: 1\nX-B: 2')],
  ['a bare CR in a field', head('GET /', 'X-A: 1\rX-B: 2')],
  ['a bare CR behind the version', head('GET /').replace('HTTP/1.1', 'HTTP/1.1\r')],
  ['a folded field', head('GET /', 'X-A: 1\r\n 2')],
  ['a fold before any field', head('GET /').replace('Host', ' Host')],
  ['a space before the colon', head('GET /', 'X-A : 1')],
  ['a line without a colon', head('GET /', 'X-A')],
  ['a NUL in a name', head('GET /', 'X\0A: 1')],
  ['a NUL in a value', head('GET /', 'X-A: \0')],
  ['a NUL in the target', head('GET /\0')],
  ['no host', 'GET / HTTP/1.1\r\nx-tenant-id: acme\r\n\r\n'],
  ['no host beside an authority', 'GET http://api.test/ HTTP/1.1\r\nx-tenant-id: acme\r\n\r\n'],
  ['an empty host', head('GET /').replace('api.test', '')],
  ['two hosts', head('GET /', 'Host: other.test')],
  ['one host twice', head('GET /', 'Host: api.test')],
  ['a host with a path', head('GET /').replace('api.test', 'api.test/x')],
  ['a host with a user', head('GET /').replace('api.test', 'me@api.test')],
  ['a host with a space', head('GET /').replace('api.test', 'api test')],
  ['an authority with a user', head('GET http://me:secret@api.test/')],
  [
    'a method that is refused anyway, with two codings',
    `${head('TRACE /', 'Transfer-Encoding: x', 'Transfer-Encoding: chunked')}${EMPTY_CHUNKS}`,
  ],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/2 in the manner of HTTP/1', head('GET /').replace('HTTP/1.1', 'HTTP/2.0')],
  ['HTTP/1.2', head('GET /').replace('HTTP/1.1', 'HTTP/1.2')],
  ['a space before the method', ` ${head('GET /')}`],
  ['a method in lower case', head('get /')],
  ['a tab for a space', head('GET /').replace(' ', '\t')],
])('%s is a 400, the connection ends, and no cell sees what came behind it', async (_, bytes) => {
  const client = await sending(bytes + SMUGGLED);
  const answer = await client.answer();
  expect(answer.status).toBe(400);
  expect(valuesOf(answer, 'connection').map((value) => value.toLowerCase())).toEqual(['close']);
  await client.untilClosed();
  expect(client.received).toBe('');
  expect(cell.seen).toEqual([]);
});

test('chunked may be written in any case, and its extensions end at the router', async () => {
  const client = await sending(coded('Chunked').replace(EMPTY_CHUNKS, `2;a="b"\r\nab\r\n0\r\n\r\n`));
  expect((await client.answer('POST')).status).toBe(200);
  expect(cell.seen.map(({ body }) => body)).toEqual(['ab']);
  client.close();
});

test('what follows `Connection: close` is not read, and its answer is not lost', async () => {
  const client = await sending(head('GET /last', 'Connection: close') + SMUGGLED);
  expect((await client.answer()).status).toBe(200);
  await client.untilClosed();
  expect([client.received, cell.seen.map(({ target }) => target)]).toEqual(['', ['/last']]);
});

test('nonsense behind a request that is under way takes nothing of its answer', async () => {
  const client = await sending(`${head('GET /good')}nonsense\r\n\r\n`);
  expect((await client.answer()).status).toBe(200);
  await client.untilClosed();
  expect([client.received, cell.seen.map(({ target }) => target)]).toEqual(['', ['/good']]);
});

test('nonsense amid the body of a request that the cell has is a 400, and the cell gets no whole one', async () => {
  const client = await sending(chunked('5\r\nhello\r\n'));
  await until('the cell is sent the beginning', async () => (await insideOf()) === 1);
  client.send('junk\r\n');
  expect((await client.answer('POST')).status).toBe(400);
  await client.untilClosed();
  await untilNothingInside(router.admin);
  expect(cell.seen).toEqual([]);
});

test('requests in a row before a bad one are answered in their order, and none after it', async () => {
  const client = await sending(head('GET /1') + head('GET /2') + long('1', '2') + SMUGGLED);
  expect((await client.answer()).status).toBe(200);
  expect((await client.answer()).status).toBe(200);
  await client.untilClosed();
  expect(cell.seen.map(({ target }) => target)).toEqual(['/1', '/2']);
});

test.each([
  ['an upgrade', head('GET /ws', 'Connection: Upgrade', 'Upgrade: websocket')],
  ['CONNECT', 'CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n'],
])('%s behind a request that is under way takes nothing of its answer', async (_, second) => {
  const client = await sending(head('GET /first') + second + SMUGGLED);
  expect((await client.answer()).status).toBe(200);
  await client.untilClosed();
  expect([client.received, cell.seen.map(({ target }) => target)]).toEqual(['', ['/first']]);
  expect(router.child.exitCode).toBeNull();
});

test.each([
  ['GET', '', ''],
  ['POST', 'Content-Length: 1', 'a'],
])('nothing is read behind a %s whose upgrade is ignored', async (method, field, body) => {
  const bytes = head(
    `${method} /plain`,
    'Connection: Upgrade',
    'Upgrade: h2c',
    ...(field === '' ? [] : [field]),
  );
  const client = await sending(
    `${bytes}${body}POST /split HTTP/1.1\r\nHost: api.test\r\nContent-Length: 99\r\n\r\n`,
  );
  client.send(SMUGGLED);
  expect((await client.answer(method)).status).toBe(200);
  await client.untilClosed();
  expect([client.received, cell.seen.map(({ target }) => target)]).toEqual(['', ['/plain']]);
});

async function insideOf(): Promise<number> {
  const text = await (await fetch(`${router.admin}/metrics`)).text();
  return Number(/cellgate_inside_requests\{cell="cell-a",role="home"\} (\d+)/.exec(text)?.[1] ?? 0);
}
