// WebSockets: the upgrade is the cell's to grant, and then bytes pass both ways untouched until either side ends.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { freePort } from '../support/ports.ts';
import { startSilence, type BlackHole } from '../support/black-hole.ts';
import { ask, head, openClient, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { SWITCHING, UPGRADE } from '../support/upgrade.ts';
import { until } from '../support/wait.ts';

const TUNNELS_MOST = 120;

const websockets = new WebSocketServer({ noServer: true });
/** What the cell answers on an upgrade of a path, instead of an echo. */
const upgrades = new Map<string, (request: IncomingMessage, socket: Duplex, early: Buffer) => void>();
let pings = 0;
const closes: number[] = [];

let cell: StubCell;
let mortal: StubCell;
let silence: BlackHole;
let router: RunningRouter;

beforeAll(async () => {
  websockets.on('connection', (socket) => {
    socket.on('ping', () => (pings += 1));
    socket.on('close', (code) => closes.push(code));
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => {
      if (!isBinary && (data as Buffer).toString() === 'close please') socket.close(4321, 'as asked');
      else socket.send(data, { binary: isBinary });
    });
  });
  const onUpgrade = (request: IncomingMessage, socket: Duplex, early: Buffer): void => {
    socket.on('error', () => undefined);
    const own = upgrades.get(request.url ?? '');
    if (own !== undefined) own(request, socket, early);
    else websockets.handleUpgrade(request, socket, early, (ws) => websockets.emit('connection', ws));
  };
  [cell, mortal, silence] = await Promise.all([
    startStubCell('cell-a', { onUpgrade }),
    startStubCell('cell-mortal', { onUpgrade }),
    startSilence(),
  ]);
  const cells = {
    'cell-a': { origin: cell.origin, capacity: { tunnels: TUNNELS_MOST } },
    'cell-mortal': { origin: mortal.origin },
    'cell-dead': { origin: `http://127.0.0.1:${await freePort()}` },
    'cell-silent': { origin: silence.origin },
  };
  const pins = { acme: 'cell-a', mortal: 'cell-mortal', dead: 'cell-dead', silent: 'cell-silent' };
  const routes = [{ path: '/abandoned', timeoutMs: 600_000 }];
  router = await startRouter(fleetOf(cells, { pins, routes }), {
    CELL_TIMEOUT_MS: '600',
    PROBE_INTERVAL_MS: '2000',
    FALL: '100',
    // Nothing waits for a verdict here: what a failure is told as comes at once.
    HOLD_MAX: '0',
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all([cell.close(), mortal.close(), silence.close()]);
});

async function opened(path = '/ws', options: ClientOptions = {}, tenant = 'acme'): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${router.port}${path}`, {
    ...options,
    headers: { 'x-tenant-id': tenant },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return socket;
}

async function echo(socket: WebSocket, data: string | Buffer): Promise<{ data: Buffer; isBinary: boolean }> {
  const back = new Promise<{ data: Buffer; isBinary: boolean }>((resolve) => {
    socket.once('message', (message, isBinary) => resolve({ data: message as Buffer, isBinary }));
  });
  socket.send(data);
  return await back;
}

async function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return await new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
}

test('text and binary come back as they went', async () => {
  const socket = await opened();
  expect(await echo(socket, 'hello')).toMatchObject({ isBinary: false, data: Buffer.from('hello') });
  const bytes = Buffer.from([0, 255, 13, 10, 128]);
  expect(await echo(socket, bytes)).toMatchObject({ isBinary: true, data: bytes });
  socket.close();
});

test('a frame of 1 MiB passes whole', async () => {
  const socket = await opened('/ws', { perMessageDeflate: false });
  const big = Buffer.alloc(1_048_576, 'x');
  expect(big.equals((await echo(socket, big)).data)).toBe(true);
  socket.close();
});

test('an extension is agreed between the two ends', async () => {
  const deflating = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  upgrades.set('/deflate', (request, socket, early) =>
    deflating.handleUpgrade(request, socket, early, (ws) => ws.on('message', (data) => ws.send(data))),
  );
  const socket = await opened('/deflate', { perMessageDeflate: true });
  expect(socket.extensions).toContain('permessage-deflate');
  expect((await echo(socket, Buffer.alloc(100_000, 'y'))).data).toHaveLength(100_000);
  socket.close();
});

test("a ping reaches the cell, and the pong is the cell's", async () => {
  const socket = await opened();
  const before = pings;
  const pong = new Promise<string>((resolve) => socket.once('pong', (data) => resolve(String(data))));
  socket.ping('are you there');
  expect(await pong).toBe('are you there');
  expect(pings).toBe(before + 1);
  socket.close();
});

test("a close code of the cell's reaches the client", async () => {
  const socket = await opened();
  const closed = closing(socket);
  socket.send('close please');
  expect(await closed).toEqual({ code: 4321, reason: 'as asked' });
});

test("a close code of the client's reaches the cell", async () => {
  const socket = await opened();
  socket.close(4567, 'done');
  await until('the cell has the code', () => closes.includes(4567));
});

test("the cell sees whose upgrade it is, and the cell's own fields reach the client", async () => {
  let seen: IncomingMessage['headers'] = {};
  upgrades.set('/fields', (request, socket) => {
    seen = request.headers;
    socket.write(SWITCHING);
  });
  const client = await openClient(router.port);
  client.send(head('GET /fields', ...UPGRADE, 'X-Cell-Id: cell-z'));
  const answer = await client.answer();
  expect(answer.status).toBe(101);
  expect(valuesOf(answer, 'x-own')).toEqual(['1']);
  expect(valuesOf(answer, 'x-cell-id')).toEqual(['cell-a']);
  expect(valuesOf(answer, 'x-request-id')[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(valuesOf(answer, 'upgrade')).toEqual(['websocket']);
  expect(seen).toMatchObject({ 'x-tenant-id': 'acme', 'x-cell-id': 'cell-a', upgrade: 'websocket' });
  expect(seen['sec-websocket-key']).toBe('dGhlIHNhbXBsZSBub25jZQ==');
  client.close();
});

test('bytes that come right behind either head are not lost', async () => {
  let got = '';
  upgrades.set('/early', (_, socket, early) => {
    got += early.toString();
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
    socket.write(`${SWITCHING}first words of the cell`);
  });
  const client = await openClient(router.port);
  client.send(`${head('GET /early', ...UPGRADE)}first words of the client`);
  await client.untilReceived('first words of the cell');
  await until('the cell has the early bytes', () => got === 'first words of the client');
  client.close();
});

test("bytes that come before the cell's 101 are not lost", async () => {
  let grant: (() => void) | undefined;
  let got = '';
  upgrades.set('/patient', (_, socket) => {
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
    grant = () => socket.write(SWITCHING);
  });
  const client = await openClient(router.port);
  client.send(head('GET /patient', ...UPGRADE));
  await until('the cell is asked', () => grant);
  client.send('eager');
  grant?.();
  await until('the cell has the bytes', () => got === 'eager');
  client.close();
});

test('a client that leaves before the 101 has its upgrade aborted at the cell', async () => {
  let ended = false;
  let asked = false;
  upgrades.set('/abandoned', (_, socket) => {
    asked = true;
    socket.resume().once('end', () => (ended = true));
  });
  const client = await openClient(router.port);
  client.send(head('GET /abandoned', ...UPGRADE));
  await until('the cell is asked', () => asked);
  client.close();
  await until('the cell sees its client gone', () => ended);
});

test('an answer other than 101 passes as it is', async () => {
  upgrades.set('/denied', (_, socket) =>
    socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nno!\n'),
  );
  const answer = await ask(router.port, head('GET /denied', ...UPGRADE));
  expect(answer).toMatchObject({ status: 401, body: 'no!\n' });
  expect(valuesOf(answer, 'www-authenticate')).toEqual(['Bearer']);
  expect(valuesOf(answer, 'x-cell-id')).toEqual(['cell-a']);
});

test.each([
  ['dead', 502, 'cell-connection-failed'],
  ['silent', 504, 'cell-timeout'],
])('a %s cell is a %i before any 101', async (tenant, status, code) => {
  const answer = await ask(router.port, head('GET /ws', ...UPGRADE).replace('acme', tenant));
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ code });
});

test('a cell that goes before its 101 is a 502', async () => {
  upgrades.set('/gone', (_, socket) => socket.destroy());
  expect((await ask(router.port, head('GET /gone', ...UPGRADE))).status).toBe(502);
});

test('an upgrade without a tenant is refused', async () => {
  const answer = await ask(router.port, head('GET /ws', ...UPGRADE).replace('x-tenant-id', 'x-nobody'));
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'tenant-missing' });
});

test.each([
  ['POST', 'Content-Length: 5'],
  ['GET', 'Content-Length: 5'],
  ['PUT', 'X-None: 1'],
])('a %s that asks for an upgrade with "%s" is an ordinary request', async (method, field) => {
  const bytes = `${head(`${method} /orders`, ...UPGRADE, field)}${field.startsWith('Content') ? 'hello' : ''}`;
  const answer = await ask(router.port, bytes);
  expect(answer.status).toBe(200);
  const seen = JSON.parse(answer.body) as { method: string; headers: Record<string, string> };
  expect(seen.method).toBe(method);
  expect(seen.headers['upgrade']).toBeUndefined();
});

test('a tunnel lasts longer than the time-out of a request, however silent', async () => {
  const socket = await opened();
  const begun = performance.now();
  await until('two time-outs have passed', () => performance.now() - begun > 1200);
  expect((await echo(socket, 'still there')).data.toString()).toBe('still there');
  socket.close();
});

test('a cell that dies takes its tunnels with it, and nothing else', async () => {
  const [doomed, other] = [await opened('/ws', {}, 'mortal'), await opened()];
  const closed = closing(doomed);
  await mortal.die();
  expect((await closed).code).toBe(1006);
  expect((await echo(other, 'unharmed')).data.toString()).toBe('unharmed');
  other.close();
});

test('a tunnel whose client has left ends, though the cell keeps its side open', async () => {
  upgrades.set('/keeps', (_, socket) => socket.resume().write(SWITCHING));
  const client = await openClient(router.port);
  client.send(head('GET /keeps', ...UPGRADE));
  await client.answer();
  client.socket.end();
  await client.untilClosed();
  await untilNothingInside(router.admin);
});

test('a client that dies has its socket to the cell closed', async () => {
  let gone = false;
  upgrades.set('/dying', (request, socket, early) => {
    socket.once('close', () => (gone = true));
    websockets.handleUpgrade(request, socket, early, (ws) => websockets.emit('connection', ws));
  });
  const socket = await opened('/dying');
  socket.terminate();
  await until('the cell sees it', () => gone);
  await untilNothingInside(router.admin);
});

test('a hundred tunnels live side by side, and the one beyond the limit is refused', async () => {
  await untilNothingInside(router.admin);
  const sockets = await Promise.all(Array.from({ length: 100 }, () => opened()));
  const echoes = await Promise.all(sockets.map((socket, i) => echo(socket, `tunnel ${i}`)));
  expect(echoes.map(({ data }) => data.toString())).toEqual(sockets.map((_, i) => `tunnel ${i}`));
  const samples = await metricsOf(router.admin);
  expect(sumOf(samples, 'cellgate_inside_tunnels', { cell: 'cell-a' })).toBe(100);
  expect(sumOf(samples, 'cellgate_inside_requests')).toBe(0);

  const more = await Promise.all(Array.from({ length: TUNNELS_MOST - 100 }, () => opened()));
  const answer = await ask(router.port, head('GET /ws', ...UPGRADE));
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'cell-overloaded' });
  expect(valuesOf(answer, 'retry-after')).toEqual(['1']);

  for (const socket of [...sockets, ...more]) socket.terminate();
  await untilNothingInside(router.admin);
});

test('tunnels that are torn at both ends, amid traffic, do not harm the router', async () => {
  for (let i = 0; i < 20; i += 1) {
    const client = await openClient(router.port);
    client.send(head('GET /ws', ...UPGRADE));
    await client.answer();
    client.send(Buffer.alloc(300_000));
    if (i % 2 === 0) client.reset();
    else for (const socket of cell.sockets) socket.resetAndDestroy();
    client.reset();
  }
  await untilNothingInside(router.admin);
  expect((await ask(router.port, head('GET /alive'))).status).toBe(200);
  expect(router.child.exitCode).toBeNull();
});
