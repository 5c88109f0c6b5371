// How the router ends a tunnel: with a close frame, between two frames of the cell's, and never at the cost of another.
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { untilNothingInside } from '../support/metrics.ts';
import { head, openClient, valuesOf, type RawClient } from '../support/raw-http.ts';
import { routed } from '../support/routed.ts';
import { startStubCell, type StubCell, type StubOptions } from '../support/stub-cell.ts';
import { SWITCHING, UPGRADE } from '../support/upgrade.ts';
import { until } from '../support/wait.ts';

const SERVICE_RESTART = '\x88\x02\x03\xf4';
const GOING_AWAY = '\x88\x02\x03\xe9';

type OpenCell = StubCell & { tunnels: Duplex[]; heard: () => string };

/** A cell that grants every upgrade and leaves its end to the test. `heard`: what came through its tunnels. */
async function startCell(id: string, options: StubOptions = {}): Promise<OpenCell> {
  const tunnels: Duplex[] = [];
  let heard = '';
  const cell = await startStubCell(id, {
    onUpgrade: (_, socket) => {
      tunnels.push(socket);
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.write(SWITCHING);
    },
    ...options,
  });
  onTestFinished(async () => await cell.close());
  return Object.assign(cell, { tunnels, heard: () => heard });
}

/** A client whose tunnel is open, and has had a whole frame from the cell. */
async function opened(port: number, cell: OpenCell, tenant = 'acme'): Promise<[RawClient, Duplex]> {
  const before = cell.tunnels.length;
  const client = await openClient(port);
  onTestFinished(() => client.close());
  client.send(head('GET /ws', ...UPGRADE).replace('acme', tenant));
  expect((await client.answer()).status).toBe(101);
  const tunnel = await until('the cell has the tunnel', () => cell.tunnels[before]);
  tunnel.write('\x81\x05hello', 'latin1');
  await client.untilReceived('\x81\x05hello');
  client.received = '';
  return [client, tunnel];
}

async function untilRefused(port: number): Promise<void> {
  await until('no new connection is taken', async () => {
    const client = await openClient(port).catch(() => null);
    client?.close();
    return client === null;
  });
}

test('a router that stops closes a tunnel with 1012, and the answer to that reaches the cell', async () => {
  const cell = await startCell('cell-a');
  const { router } = await routed([cell]);
  const [client, tunnel] = await opened(router.port, cell);
  const stopped = router.stop();
  await until('the close is there', () => client.received === SERVICE_RESTART);
  client.send('\x88\x82\x00\x00\x00\x00\x03\xf4');
  await until('the cell has the answer', () => cell.heard() === '\x88\x82\x00\x00\x00\x00\x03\xf4');
  tunnel.end(SERVICE_RESTART, 'latin1');
  await client.untilClosed();
  expect(client.received).toBe(SERVICE_RESTART);
  expect(client.failure).toBeNull();
  expect(await stopped).toBe(0);
});

test('the close waits for the end of a frame that is under way, and nothing follows it', async () => {
  const cell = await startCell('cell-a');
  const { router } = await routed([cell]);
  const [client, tunnel] = await opened(router.port, cell);
  const frame = Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Buffer.alloc(65_536, 'x')]);
  tunnel.write(frame.subarray(0, 40_000));
  await until('the first part is there', () => client.received.length === 40_000);
  const stopped = router.stop();
  await untilRefused(router.port);
  expect(client.received).toHaveLength(40_000);
  tunnel.write(Buffer.concat([frame.subarray(40_000), Buffer.from('\x81\x04late', 'latin1')]));
  await client.untilReceived(SERVICE_RESTART);
  client.socket.end();
  await client.untilClosed();
  expect(client.received.slice(frame.length)).toBe(SERVICE_RESTART);
  expect(await stopped).toBe(0);
});

test('a tunnel whose frame never ends is cut, without a close amid the frame', async () => {
  const cell = await startCell('cell-a');
  const { router } = await routed([cell]);
  const [client, tunnel] = await opened(router.port, cell);
  tunnel.write(Buffer.from('827fffffffffffffffff', 'hex'));
  await until('its head is there', () => client.received.length === 10);
  expect(await router.stop()).toBe(0);
  await client.untilClosed();
  expect(client.received).toHaveLength(10);
});

test('the drain time-out is the limit for tunnels too, those not granted yet among them', async () => {
  let asked = false;
  const cell = await startCell('cell-a', { onUpgrade: () => (asked = true) });
  const { router } = await routed([cell], { CELL_TIMEOUT_MS: '3600000', DRAIN_TIMEOUT_MS: '200' });
  const client = await openClient(router.port);
  client.send(head('GET /ws', ...UPGRADE));
  await until('the cell is asked', () => asked);
  expect(await router.stop()).toBe(0);
  await client.untilClosed();
  expect(client.received).toBe('');
});

test('a WebSocket library hears 1012 at both ends', async () => {
  const codes: number[] = [];
  const server = new WebSocketServer({ noServer: true });
  const cell = await startCell('cell-a', {
    onUpgrade: (request, socket, early) =>
      server.handleUpgrade(request, socket, early, (ws) => ws.on('close', (code) => codes.push(code))),
  });
  const { router } = await routed([cell]);
  const client = new WebSocket(`ws://127.0.0.1:${router.port}/ws`, { headers: { 'x-tenant-id': 'acme' } });
  client.on('close', (code) => codes.push(code)).on('error', () => undefined);
  await until('it is open', () => client.readyState === WebSocket.OPEN);
  expect(await router.stop()).toBe(0);
  await until('both have heard', () => codes.length === 2);
  expect(codes).toEqual([1012, 1012]);
});

test('a tunnel that is silent for longer than the idle limit is closed with 1001', async () => {
  const cell = await startCell('cell-a');
  const { router } = await routed([cell], { STREAM_IDLE_MS: '400' });
  const client = await openClient(router.port);
  client.send(head('GET /ws', ...UPGRADE));
  expect((await client.answer()).status).toBe(101);
  await client.untilReceived(GOING_AWAY);
  await client.untilClosed();
  await untilNothingInside(router.admin);
  await until('the cell is rid of it', () => cell.tunnels.every(({ readableEnded }) => readableEnded));
});

test('both sockets of a tunnel have TCP keep-alive', async () => {
  const cell = await startCell('cell-a');
  const { router } = await routed([cell]);
  const [client] = await opened(router.port, cell);
  // While bytes are on their way the kernel shows the timer of those.
  await until('the client side is kept alive', () => keptAlive(router.port, client.socket.localPort ?? 0));
  await until('the cell side is kept alive', async () => {
    const sides = [...cell.sockets].map(({ remotePort }) => keptAlive(remotePort ?? 0, cell.port));
    return (await Promise.all(sides)).every(Boolean);
  });
});

test('a verdict on a frozen cell closes its tunnels with 1012, and no others', async () => {
  const [a, b] = await Promise.all([startCell('cell-a'), startCell('cell-b')]);
  const { router } = await routed([a, b]);
  const [[lost], [kept, keptAtCell]] = [await opened(router.port, a), await opened(router.port, b, 'bolt')];
  a.scripts.set('/health', () => undefined);
  await lost.untilReceived(SERVICE_RESTART);
  await lost.untilClosed();
  const [back] = await opened(router.port, b);
  keptAtCell.write('\x81\x04well', 'latin1');
  await kept.untilReceived('\x81\x04well');
  expect(kept.received).toBe('\x81\x04well');
  for (const client of [back, kept]) client.close();
});

test('a verdict on a frozen cell ends its event streams as whole ones', async () => {
  const [a, b] = await Promise.all([startCell('cell-a'), startCell('cell-b')]);
  a.scripts.set('/events', (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const { router } = await routed([a, b]);
  const client = await openClient(router.port);
  client.send(head('GET /events'));
  await client.untilReceived('data: 1');
  a.scripts.set('/health', () => undefined);
  expect(await client.answer()).toMatchObject({ whole: true, body: 'data: 1\n\n' });
  client.send(head('GET /orders'));
  const answer = await client.answer();
  expect(valuesOf(answer, 'x-cell-id')).toEqual(['cell-b']);
  client.close();
});

/** Whether the kernel's timer for this connection is that of TCP keep-alive (`proc(5)`, `/proc/net/tcp`). */
async function keptAlive(localPort: number, remotePort: number): Promise<boolean> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const row = rows.find(
    ([, local, remote]) =>
      local?.endsWith(`:${hex(localPort)}`) === true && remote?.endsWith(`:${hex(remotePort)}`) === true,
  );
  return row?.[5]?.startsWith('02') === true;
}
