// Requests that a cell had got when it broke off, or froze: what is sent again, how often, and what the client hears.
import type { IncomingMessage, RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { head, openClient } from '../support/raw-http.ts';
import { codeOf, routed, type Reply } from '../support/routed.ts';
import { startStubCell, type StubCell, type StubOptions } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const PATIENT = { CELL_TIMEOUT_MS: '3600000', HOLD_MS: '3600000' };

async function stubs(options: StubOptions = {}): Promise<[StubCell, StubCell]> {
  const [a, b] = await Promise.all([startStubCell('cell-a', options), startStubCell('cell-b', options)]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

/** Reads each request whole and breaks the connection, `times` times; then the cell answers as ever. */
function breaksOff(cell: StubCell, path: string, times = Number.POSITIVE_INFINITY): { asked: string[] } {
  const counted = { asked: [] as string[] };
  const [usual] = cell.server.listeners('request') as RequestListener[];
  cell.scripts.set(path, (request, response) => {
    counted.asked.push(String(request.headers['x-request-id']));
    if (counted.asked.length > times) {
      cell.scripts.delete(path);
      usual?.(request, response);
    } else request.resume().on('end', () => request.socket.resetAndDestroy());
  });
  return counted;
}

/** From now on the cell does not tell how it is; nothing breaks off, as with a stopped process. */
function freeze(cell: StubCell): void {
  cell.scripts.set('/health', () => undefined);
}

/** Requests for `path` go into the cell and stay there. */
function swallows(cell: StubCell, path: string): IncomingMessage[] {
  const inside: IncomingMessage[] = [];
  cell.scripts.set(path, (request) => void inside.push(request.resume()));
  return inside;
}

function told(reply: Reply): unknown {
  return [reply.status, reply.headers['x-cell-id'] ?? codeOf(reply)];
}

test.each([
  ['GET', ''],
  ['DELETE', ''],
  ['PUT', 'x'.repeat(65_536)],
])('a %s whose cell broke off before its answer is sent once more, whole', async (method, body) => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  const counted = breaksOff(a, '/orders', 1);
  expect(told(await send('acme', { method, ...(body === '' ? {} : { body }) }))).toEqual([200, 'cell-a']);
  expect([counted.asked.length, b.seen.length]).toEqual([2, 0]);
  expect(a.seen.map((one) => [one.method, one.body])).toEqual([[method, body]]);
});

test.each([
  ['POST', 'x'],
  ['PATCH', 'x'],
  ['PUT', 'x'.repeat(65_537)],
])('a %s that may have been processed, or was not kept, is not', async (method, body) => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  const counted = breaksOff(a, '/orders', 1);
  expect(told(await send('acme', { method, body }))).toEqual([502, 'cell-connection-failed']);
  expect([counted.asked.length, b.seen.length]).toEqual([1, 0]);
});

test('with REPLAY_BYTES of 0 nothing that has a body is sent again', async () => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b], { REPLAY_BYTES: '0' });
  const counted = breaksOff(a, '/orders', 1);
  expect(told(await send('acme', { method: 'PUT', body: 'x' }))).toEqual([502, 'cell-connection-failed']);
  expect(counted.asked).toHaveLength(1);
});

test('a path that always breaks off is asked twice a request, and condemns no cell', async () => {
  const [a, b] = await stubs();
  const { send, opinionOf, explain } = await routed([a, b]);
  const counted = breaksOff(a, '/poison');
  for (let i = 0; i < 40; i += 1) {
    expect(told(await send('acme', { path: '/poison' }))).toEqual([502, 'cell-connection-failed']);
  }
  const times = new Map<string, number>();
  for (const id of counted.asked) times.set(id, (times.get(id) ?? 0) + 1);
  expect([times.size, Math.max(...times.values())]).toEqual([40, 2]);
  expect([await opinionOf('cell-a'), await explain('acme')]).toMatchObject([
    'up',
    { cell: 'cell-a', epoch: 1 },
  ]);
  expect(told(await send('acme'))).toEqual([200, 'cell-a']);
  expect(b.seen).toEqual([]);
});

test('a second sending takes a new connection: those that were open may all be dead', async () => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  const waiting: (() => void)[] = [];
  a.scripts.set('/slow', (_, response) => waiting.push(() => response.writeHead(200).end()));
  const slow = [1, 2, 3, 4].map(async () => await send('acme', { path: '/slow' }));
  await until('four connections are open', () => waiting.length === 4);
  for (const release of waiting) release();
  await Promise.all(slow);
  const old = new Set(a.sockets);
  let asked = 0;
  a.scripts.set('/died', (request, response) => {
    asked += 1;
    if (old.has(request.socket)) request.socket.resetAndDestroy();
    else response.writeHead(200).end();
  });
  const replies = await Promise.all([1, 2].map(async () => await send('acme', { path: '/died' })));
  expect([replies.map(({ status }) => status), asked]).toEqual([[200, 200], 4]);
});

test('an answer that has begun is cut, never sent for again', async () => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  let asked = 0;
  a.scripts.set('/cut', (request, response) => {
    asked += 1;
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => request.socket.resetAndDestroy());
  });
  await expect(send('acme', { path: '/cut' })).rejects.toThrow();
  expect([asked, b.seen]).toEqual([1, []]);
});

test('no more than a fifth of what is inside a cell is sent a second time at once', async () => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  const SENT = 30;
  const first: IncomingMessage[] = [];
  const second: (() => void)[] = [];
  a.scripts.set('/storm', (request, response) => {
    if (first.length < SENT) {
      first.push(request.resume());
      if (first.length === SENT) for (const one of first) one.socket.resetAndDestroy();
    } else second.push(() => response.writeHead(200).end());
  });
  const replies: Reply[] = [];
  const all = Array.from({ length: SENT }, async () => replies.push(await send('acme', { path: '/storm' })));
  await until('those without a second sending are answered', () => replies.length + second.length === SENT);
  expect(second.length).toBeGreaterThanOrEqual(1);
  expect(second.length).toBeLessThanOrEqual(SENT / 5);
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([502]));
  for (const release of second) release();
  await Promise.all(all);
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(second.length);
});

test('when a verdict comes, what is inside a frozen cell ends: reads at the neighbour, writes with a 504', async () => {
  const [a, b] = await stubs();
  const { send, explain } = await routed([a, b], PATIENT);
  const inside = swallows(a, '/orders');
  const sent = [
    send('acme'),
    send('acme', { method: 'PUT', body: 'whole' }),
    send('acme', { method: 'POST', body: 'once' }),
    send('acme', { method: 'PUT', body: 'x'.repeat(65_537) }),
  ];
  await until('all are inside', () => inside.length === 4);
  freeze(a);
  expect((await Promise.all(sent)).map(told)).toEqual([
    [200, 'cell-b'],
    [200, 'cell-b'],
    [504, 'cell-timeout'],
    [504, 'cell-timeout'],
  ]);
  expect(b.seen.map(({ method, body }) => method + body).sort()).toEqual(['GET', 'PUTwhole']);
  expect(await explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 2 });
  await until('the frozen cell is rid of them', () => inside.every(({ socket }) => socket.destroyed));
});

test('a frozen cell’s other tenants are left alone, and so is what the neighbour does for its own', async () => {
  const [a, b] = await stubs();
  const { send, explain } = await routed([a, b], PATIENT);
  swallows(a, '/orders');
  const own = swallows(b, '/own');
  const [guest, neighbours] = [send('acme'), send('bolt', { path: '/own', method: 'POST', body: 'x' })];
  await until('it is inside', () => own.length === 1);
  freeze(a);
  expect(told(await guest)).toEqual([200, 'cell-b']);
  expect(await explain('bolt')).toMatchObject({ cell: 'cell-b', epoch: 1 });
  own[0]?.socket.resetAndDestroy();
  expect(told(await neighbours)).toEqual([502, 'cell-connection-failed']);
});

test('an upgrade that a frozen cell has not granted is asked of the neighbour', async () => {
  const swallowed: IncomingMessage[] = [];
  const a = await startStubCell('cell-a', { onUpgrade: (request) => void swallowed.push(request) });
  const b = await startStubCell('cell-b', {
    onUpgrade: (_, socket) => {
      socket.on('error', () => undefined);
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
      );
    },
  });
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const { router } = await routed([a, b], PATIENT);
  const client = await openClient(router.port);
  client.send(
    head(
      'GET /live',
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ),
  );
  await until('it is inside', () => swallowed.length === 1);
  freeze(a);
  expect((await client.answer()).status).toBe(101);
  await client.untilReceived('hello');
  client.close();
  for (const { socket } of swallowed) socket.destroy();
});

test('a client that leaves between two sendings is not asked for again', async () => {
  const [a, b] = await stubs();
  const { router, gauge } = await routed([a, b], PATIENT);
  const inside = swallows(a, '/orders');
  const client = await openClient(router.port);
  client.send(head('GET /orders'));
  await until('it is inside', () => inside.length === 1);
  client.close();
  await until('the cell is told', () => inside[0]?.socket.destroyed);
  freeze(a);
  await until(
    'the verdict is there',
    async () => (await gauge('cellgate_home_epoch', { home: 'cell-a' })) === 2,
  );
  expect(b.seen).toEqual([]);
});
