// Connections to a cell that are used again: left before the cell leaves them, and what becomes of a request if it was first.
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { codeOf, routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

async function startCell(idleMs: number): Promise<StubCell & { connections: Socket[] }> {
  const cell = await startStubCell('cell-a');
  const connections: Socket[] = [];
  cell.server.keepAliveTimeout = idleMs;
  cell.server.prependListener('request', ({ url, socket }) => {
    if (url !== '/health') connections.push(socket);
  });
  onTestFinished(async () => await cell.close());
  return Object.assign(cell, { connections });
}

test('a cell whose idle limit is one second is never asked on a connection that it may be closing', async () => {
  const cell = await startCell(1_000);
  const { send } = await routed([cell]);
  for (let i = 0; i < 5; i += 1) {
    expect(await send('acme', { method: 'POST', body: `${i}` })).toMatchObject({ status: 200 });
  }
  expect(new Set(cell.connections).size).toBe(5);
});

test('an idle connection is closed by the router, long before a cell with a longer limit would', async () => {
  const cell = await startCell(3_600_000);
  const { send } = await routed([cell]);
  await send('acme');
  await send('acme');
  const [connection, again] = cell.connections;
  expect(again).toBe(connection);
  await until('it is closed', () => connection?.destroyed);
  expect(connection?.readableEnded).toBe(true);
});

/** From now on a request for `path` on a connection that was used before has that connection reset. */
function resetsUsed(cell: StubCell & { connections: Socket[] }, path: string): { resets: () => number } {
  let resets = 0;
  const usual = cell.server.listeners('request').at(-1) as (...of: unknown[]) => void;
  cell.scripts.set(path, (request, response) => {
    if (cell.connections.filter((one) => one === request.socket).length > 1) {
      resets += 1;
      request.socket.resetAndDestroy();
    } else {
      cell.scripts.delete(path);
      usual(request, response);
    }
  });
  return { resets: () => resets };
}

test('a GET whose used connection is reset before any answer is asked once more, on a new one', async () => {
  const cell = await startCell(60_000);
  const { send } = await routed([cell]);
  await send('acme');
  const { resets } = resetsUsed(cell, '/again');
  expect((await send('acme', { path: '/again' })).status).toBe(200);
  expect(resets()).toBe(1);
  expect(cell.seen.filter(({ url }) => url === '/again')).toHaveLength(1);
});

test('a POST in its place is a 502, and is not asked again', async () => {
  const cell = await startCell(60_000);
  const { send } = await routed([cell]);
  await send('acme');
  const { resets } = resetsUsed(cell, '/again');
  const reply = await send('acme', { method: 'POST', path: '/again', body: 'once' });
  expect([reply.status, codeOf(reply)]).toEqual([502, 'cell-connection-failed']);
  expect(resets()).toBe(1);
  expect(cell.seen.filter(({ url }) => url === '/again')).toEqual([]);
});
