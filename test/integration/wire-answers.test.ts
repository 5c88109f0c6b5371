// Answers that cells should not give, and some that they may: what of them reaches a client, and what never does.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startStrictCell, type StrictCell } from '../../loadtest/stubs/strict-cell.ts';
import { untilNothingInside } from '../support/metrics.ts';
import { ask, head, openClient, valuesOf, type RawAnswer } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';

const CELL_TIMEOUT_MS = 500;
const STREAM_IDLE_MS = 4_000;

let cell: StrictCell;
let slow: StubCell;
let router: RunningRouter;

beforeAll(async () => {
  [cell, slow] = await Promise.all([startStrictCell(), startStubCell('cell-slow')]);
  const cells = { 'cell-a': { origin: cell.origin }, 'cell-slow': { origin: slow.origin } };
  router = await startRouter(fleetOf(cells, { pins: { acme: 'cell-a', slow: 'cell-slow' } }), {
    CELL_TIMEOUT_MS: String(CELL_TIMEOUT_MS),
    STREAM_IDLE_MS: String(STREAM_IDLE_MS),
    FALL: '100',
    HOLD_MAX: '0',
  });
});

beforeEach(() => {
  cell.seen.length = 0;
});

afterAll(async () => {
  await router.stop();
  await Promise.all([cell.close(), slow.close()]);
  expect(cell.faults).toEqual([]);
});

async function answered(bytes: string, method = 'GET'): Promise<{ answer: RawAnswer; line: string }> {
  cell.answers.set('/odd', bytes);
  const client = await openClient(router.port);
  client.send(head(`${method} /odd`));
  await client.untilReceived('\r\n');
  const line = client.received.slice(0, client.received.indexOf('\r\n'));
  const answer = await client.answer(method);
  // Whatever it was, it has not touched the client's connection.
  if (answer.whole) {
    client.send(head('GET /next'));
    expect((await client.answer()).status).toBe(200);
    expect(client.received).toBe('');
  }
  client.close();
  return { answer, line };
}

test.each([
  ['HTTP/1.1 200 Splendid', 'HTTP/1.1 200 Splendid'],
  ['HTTP/1.1 299 Odd enough', 'HTTP/1.1 299 Odd enough'],
  ['HTTP/1.1 200 ', 'HTTP/1.1 200 '],
  ['HTTP/1.0 200 OK', 'HTTP/1.1 200 OK'],
  ['HTTP/1.1 404 caf\u00e9', 'HTTP/1.1 404 Not Found'],
])('the status line %j is told as %j', async (line, told) => {
  expect((await answered(`${line}\r\nContent-Length: 0\r\n\r\n`)).line).toBe(told);
});

test('a 204 has no length, a 205 none but zero', async () => {
  const empty = await answered('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n');
  expect(valuesOf(empty.answer, 'content-length')).toEqual([]);
  const reset = await answered('HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello');
  expect([reset.answer.body, valuesOf(reset.answer, 'content-length')]).toEqual(['', ['0']]);
  const chunks = await answered(
    'HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  );
  expect([chunks.answer.body, valuesOf(chunks.answer, 'transfer-encoding')]).toEqual(['', []]);
});

test('a 304 keeps the length of what it stands for', async () => {
  const { answer } = await answered('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n');
  expect([answer.body, valuesOf(answer, 'content-length')]).toEqual(['', ['5']]);
});

test('the answer to a HEAD that announces chunks has none', async () => {
  const { answer } = await answered('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD');
  expect(answer).toMatchObject({ status: 200, body: '' });
});

test('interim answers end at the router', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
  const { answer } = await answered(
    `HTTP/1.1 102 Processing\r\n\r\n${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
  );
  expect(answer).toMatchObject({ status: 200, interim: [], body: 'ok' });
});

test.each([
  ['a coding that nobody asked for', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n'],
  ['lines that end in a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['a space before a colon', 'HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n'],
])('an answer with %s is a 502', async (_, bytes) => {
  const { answer } = await answered(bytes);
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'cell-bad-response' });
});

test('what a cell sends behind an answer is nobody’s answer', async () => {
  const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
  cell.answers.set('/extra', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${extra}`);
  for (let i = 0; i < 10; i += 1) {
    expect((await ask(router.port, head('GET /extra'))).body).toBe('ok');
    expect((await ask(router.port, head(`GET /own-${i}`))).body).toBe('');
  }
});

test('chunks that are none cut the answer', async () => {
  const { answer } = await answered(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n',
  ).catch(() => ({ answer: { whole: false } }));
  expect(answer.whole).toBe(false);
});

test('an answer of unknown length may pause for longer than a cell may take', async () => {
  slow.scripts.set('/long-poll', (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('[');
    setTimeout(() => response.end(']'), 4 * CELL_TIMEOUT_MS);
  });
  const answer = await ask(router.port, head('GET /long-poll').replace('acme', 'slow'));
  expect(answer).toMatchObject({ status: 200, body: '[]', whole: true });
});

test('the head of an answer does not wait for its body for long', async () => {
  slow.scripts.set('/head-first', (_, response) => response.writeHead(200).flushHeaders());
  const client = await openClient(router.port);
  client.send(head('GET /head-first').replace('acme', 'slow'));
  await client.untilReceived('HTTP/1.1 200 OK');
  client.close();
});

test.each(['text/event-stream', 'application/json'])(
  'an answer of %s that is silent for longer than STREAM_IDLE_MS is cut',
  async (type) => {
    slow.scripts.set('/silent', (_, response) => {
      response.writeHead(200, { 'content-type': type }).write('data: 1\n\n');
    });
    const answer = await ask(router.port, head('GET /silent').replace('acme', 'slow'));
    expect(answer).toMatchObject({ status: 200, whole: false });
    await untilNothingInside(router.admin);
  },
);
