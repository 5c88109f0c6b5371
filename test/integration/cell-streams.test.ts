// The cell's long-lived answers, server-sent events and WebSocket, and how a stop ends them.
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startCell, type RunningCell } from '../support/cell.ts';
import { until } from '../support/wait.ts';

const headers = { 'x-tenant-id': 'acme' };
let cell: RunningCell;

beforeAll(async () => {
  cell = await startCell({ id: 'cell-a' });
});

afterAll(async () => {
  await cell?.stop();
});

async function openSocket(of: RunningCell): Promise<WebSocket> {
  const socket = new WebSocket(`${of.url.replace('http', 'ws')}/ws`, { headers });
  await once(socket, 'open');
  return socket;
}

test('events tick at once and again, with an id, a name and JSON', async () => {
  const leave = new AbortController();
  const answer = await fetch(`${cell.url}/events`, { headers, signal: leave.signal });
  let seen = '';
  for await (const chunk of answer.body ?? []) {
    seen += Buffer.from(chunk).toString();
    if (seen.includes('id: 2')) break;
  }
  leave.abort();
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  expect(seen).toMatch(/^id: 1\nevent: tick\ndata: \{"tick":1,"at":"[^"]+Z"\}\n\nid: 2\nevent: tick\n/);
});

test.each(['/events', '/ws'])('%s needs a tenant', async (path) => {
  expect((await fetch(`${cell.url}${path}`)).status).toBe(400);
});

test('HEAD does not open an event stream', async () => {
  expect((await fetch(`${cell.url}/events`, { method: 'HEAD', headers })).status).toBe(404);
});

test('a WebSocket handshake without a tenant is refused before the upgrade', async () => {
  const socket = new WebSocket(`${cell.url.replace('http', 'ws')}/ws`);
  const [error] = (await once(socket, 'error')) as [Error];
  expect(error.message).toContain('400');
});

test('a plain GET of the WebSocket path is told to upgrade', async () => {
  const answer = await fetch(`${cell.url}/ws`, { headers });
  expect(answer.status).toBe(426);
  expect(await answer.json()).toMatchObject({ code: 'upgrade-required' });
});

test('a WebSocket echoes text as text and binary as binary', async () => {
  const socket = await openSocket(cell);
  const echoes: [string, boolean][] = [];
  socket.on('message', (data: Buffer, binary) => echoes.push([data.toString('hex'), binary]));
  socket.send('grüße');
  socket.send(Buffer.from([0, 255, 1]));
  await until('both echoes are there', () => echoes.length === 2);
  socket.close();
  expect(echoes).toEqual([
    [Buffer.from('grüße').toString('hex'), false],
    ['00ff01', true],
  ]);
});

test('a WebSocket message above 1 MiB closes that socket alone', async () => {
  const socket = await openSocket(cell);
  socket.on('error', () => undefined);
  socket.send(Buffer.alloc(1_048_577));
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).not.toBe(1000);
  expect((await fetch(`${cell.url}/health`)).status).toBe(200);
});

test('a stop ends event streams whole, closes WebSockets with 1001 and exits 0', async () => {
  const stopping = await startCell({ id: 'cell-b' });
  try {
    const events = await fetch(`${stopping.url}/events`, { headers });
    const socket = await openSocket(stopping);
    const closed = once(socket, 'close');
    const rest = events.text();
    expect(await stopping.kill('SIGTERM')).toBe(0);
    expect(await rest).toMatch(/\n\n$/);
    expect((await closed)[0]).toBe(1001);
  } finally {
    await stopping.stop();
  }
});
