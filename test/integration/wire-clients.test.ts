// Clients with manners of their own: those that leave, that ask before they send, that speak HTTP/1.0 or of other protocols.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilNothingInside } from '../support/metrics.ts';
import { ask, head, openClient, pairs, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

let cell: StubCell;
let router: RunningRouter;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin } });
  router = await startRouter(fleet, { MAX_BODY_BYTES: '1000000', HOLD_MAX: '0', FALL: '1' });
});

afterAll(async () => {
  await router.stop();
  await cell.close();
});

/** Has the cell take requests on a path and leave them open, with `first` of an answer sent. */
function open(path: string, first: string | null = null): ServerResponse[] {
  const responses: ServerResponse[] = [];
  cell.scripts.set(path, (request, response) => {
    request.resume();
    if (first !== null) response.write(first);
    responses.push(response);
  });
  return responses;
}

async function opinion(): Promise<unknown> {
  const { cells } = (await (await fetch(`${router.admin}/v1/cells`)).json()) as {
    cells: { opinion: string }[];
  };
  return cells[0]?.opinion;
}

test.each([
  ['before the head', null],
  ['amid the answer', 'first'],
])('a client that says its last %s has its request to the cell aborted', async (_, first) => {
  const responses = open('/half-closed', first);
  const client = await openClient(router.port);
  client.send(head('GET /half-closed'));
  await until('the cell has the request', () => responses.length === 1);
  if (first !== null) await client.untilReceived(first);
  client.socket.end();
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
  await client.untilClosed();
  await untilNothingInside(router.admin);
});

test('a client that says its last amid its body has the sending of it cut', async () => {
  const responses = open('/half-body');
  const client = await openClient(router.port);
  client.send(`${head('POST /half-body', 'Content-Length: 100')}half`);
  await until('the cell has the request', () => responses.length === 1);
  client.socket.end();
  await until('the cell sees its client gone', () => responses[0]?.destroyed);
  await client.untilClosed();
  await untilNothingInside(router.admin);
});

test('clients that leave say nothing against the cell, in the log or in the votes', async () => {
  const responses = open('/left', 'first');
  const waiting = open('/left-early');
  for (let i = 0; i < 5; i += 1) {
    const client = await openClient(router.port);
    client.send(head(i % 2 === 0 ? 'GET /left' : 'GET /left-early', `X-Request-Id: left-${i}`));
    await until('the cell has the request', () => responses.length + waiting.length === i + 1);
    client.reset();
  }
  const lines = await until('all are told', () => {
    const found = router.logs.filter(({ requestId }) => String(requestId).startsWith('left-'));
    return found.length === 5 ? found : null;
  });
  for (const line of lines) {
    expect(line).toMatchObject({ level: 30, code: null });
    expect([200, 499]).toContain(line['status']);
  }
  expect(await opinion()).toBe('up');
});

test('a client is asked for its body only when there is a cell for it', async () => {
  const expecting = ['Expect: 100-continue', 'Content-Length: 5'];
  const client = await openClient(router.port);
  client.send(head('POST /', ...expecting).replace('x-tenant-id: acme\r\n', ''));
  const answer = await client.answer('POST');
  expect(answer).toMatchObject({ status: 400, interim: [] });
  // It may send the body or not: what comes next on this connection would be a guess.
  expect(valuesOf(answer, 'connection')).toEqual(['close']);
  await client.untilClosed();
});

test('a client that asks is told at once that its body would be too large', async () => {
  const answer = await ask(router.port, head('POST /', 'Expect: 100-continue', 'Content-Length: 1000001'));
  expect(answer).toMatchObject({ status: 413, interim: [] });
});

test('a client that asks without a body keeps its connection', async () => {
  const client = await openClient(router.port);
  client.send(head('GET /', 'Expect: 100-continue') + head('GET /next'));
  expect((await client.answer()).status).toBe(200);
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test('an HTTP/1.0 client is not asked, whatever it expects', async () => {
  const bytes = `${head('POST /old', 'Expect: 100-continue', 'Content-Length: 2')}hi`.replace('1.1', '1.0');
  const answer = await ask(router.port, bytes);
  expect(answer).toMatchObject({ status: 200, interim: [] });
  expect(JSON.parse(answer.body)).toMatchObject({ body: 'hi' });
});

test('a client whose expectation is unknown loses its connection with the refusal', async () => {
  const client = await openClient(router.port);
  client.send(`${head('POST /', 'Expect: miracles', 'Content-Length: 4')}body${head('GET /behind')}`);
  expect((await client.answer('POST')).status).toBe(417);
  await client.untilClosed();
  expect(cell.seen.map(({ url }) => url)).not.toContain('/behind');
});

test('an HTTP/1.0 client may keep its connection, where the answer tells its length', async () => {
  cell.scripts.set('/kept', (_, response) => response.writeHead(200, { 'content-length': 0 }).end());
  const client = await openClient(router.port);
  const bytes = head('GET /kept', 'Connection: keep-alive').replace('1.1', '1.0');
  client.send(bytes);
  expect(valuesOf(await client.answer(), 'connection')).toEqual(['keep-alive']);
  client.send(bytes);
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test.each([
  ['to a protocol that nobody knows', 'GET', '1.1', 'foo/2, bar'],
  ['to WebSocket of another method', 'POST', '1.1', 'websocket'],
  ['to WebSocket over HTTP/1.0', 'GET', '1.0', 'websocket'],
])('an upgrade %s is answered as if it were not there', async (_, method, version, protocol) => {
  cell.seen.length = 0;
  const bytes = head(`${method} /plain`, 'Connection: Upgrade', `Upgrade: ${protocol}`, 'Content-Length: 0');
  const answer = await ask(router.port, bytes.replace('HTTP/1.1', `HTTP/${version}`));
  expect(answer.status).toBe(200);
  const names = pairs(cell.seen[0]?.rawHeaders ?? []).map(([name]) => name.toLowerCase());
  expect(names).not.toContain('upgrade');
});

test.each(['*', 'http://api.test'])(
  'OPTIONS %s asks the router itself, and needs no tenant',
  async (target) => {
    cell.seen.length = 0;
    const client = await openClient(router.port);
    client.send(`OPTIONS ${target} HTTP/1.1\r\nHost: api.test\r\n\r\n${head('GET /next')}`);
    const answer = await client.answer('OPTIONS');
    expect(answer).toMatchObject({ status: 204, body: '' });
    expect(valuesOf(answer, 'allow')[0]).toContain('OPTIONS');
    expect(valuesOf(answer, 'content-length')).toEqual([]);
    expect((await client.answer()).status).toBe(200);
    expect(cell.seen.map(({ url }) => url)).toEqual(['/next']);
    client.close();
  },
);
