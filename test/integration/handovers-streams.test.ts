// What has no end of its own is ended when its tenant is handed over: its client comes back, and to the other cell.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { drain, order, WITH_OPERATOR } from '../support/operator.ts';
import { head, openClient, valuesOf, type RawClient } from '../support/raw-http.ts';
import { routed, type Routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { SWITCHING, UPGRADE } from '../support/upgrade.ts';
import { until } from '../support/wait.ts';

const SERVICE_RESTART = '\x88\x02\x03\xf4';
const PATIENT = { HANDOVER_MS: '3600000', HOLD_MS: '7200000', RECONNECT_SPREAD_MS: '0' };

type Cell = StubCell & { asked: Duplex[]; events: ServerResponse[] };
type Setting = Routed & { a: Cell; b: Cell };

async function startCell(id: string): Promise<Cell> {
  const asked: Duplex[] = [];
  const events: ServerResponse[] = [];
  const onUpgrade = (_: unknown, socket: Duplex): void => {
    socket.on('error', () => undefined);
    asked.push(socket);
  };
  const cell = await startStubCell(id, { onUpgrade });
  cell.scripts.set('/events', (_, response) => {
    events.push(response);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  onTestFinished(() => cell.close());
  return Object.assign(cell, { asked, events });
}

async function pair(env: Record<string, string> = PATIENT): Promise<Setting> {
  const [a, b] = await Promise.all([startCell('cell-a'), startCell('cell-b')]);
  const pins = { acme: 'cell-a', echo: 'cell-a', bolt: 'cell-b' };
  const setting = await routed([a, b], { ...WITH_OPERATOR, ...env }, { fleet: { pins } });
  await until('the neighbour is up', async () => (await setting.opinionOf('cell-b')) === 'up');
  return { ...setting, a, b };
}

/** A client that has asked for a WebSocket, and the cell's end of it. */
async function upgrade(port: number, cell: Cell, tenant: string): Promise<[RawClient, Duplex]> {
  const before = cell.asked.length;
  const client = await openClient(port);
  onTestFinished(() => client.close());
  client.send(head('GET /ws', ...UPGRADE).replace('acme', tenant));
  return [client, await until('the cell is asked', () => cell.asked[before])];
}

async function tunnel(port: number, cell: Cell, tenant: string): Promise<RawClient> {
  const [client, socket] = await upgrade(port, cell, tenant);
  socket.write(SWITCHING);
  expect((await client.answer()).status).toBe(101);
  return client;
}

async function eventStream(port: number, tenant: string): Promise<RawClient> {
  const client = await openClient(port);
  onTestFinished(() => client.close());
  client.send(head('GET /events').replace('acme', tenant));
  await client.untilReceived('data: 1');
  return client;
}

test('tunnels and event streams of tenants that go are ended before the handover opens, those of others stay', async () => {
  const { a, b, router } = await pair();
  // By the slots of operation 2 echo goes with 30 %, and acme stays.
  const [goes, stays] = [await tunnel(router.port, a, 'echo'), await tunnel(router.port, a, 'acme')];
  const [events, others] = [await eventStream(router.port, 'echo'), await eventStream(router.port, 'acme')];
  const drained = drain(router, 'cell-a', 30);
  await goes.untilReceived(SERVICE_RESTART);
  goes.socket.end();
  expect(await events.answer()).toMatchObject({ whole: true, body: 'data: 1\n\n' });
  expect((await drained).status).toBe(200);
  await tunnel(router.port, b, 'echo');
  a.events[1]?.write('data: 2\n\n');
  await others.untilReceived('data: 2');
  expect(stays.received).toBe('');
});

test('a client that does not answer its close is cut before it has the handover undone', async () => {
  const { a, router } = await pair({ HANDOVER_MS: '2000', HOLD_MS: '7200000', RECONNECT_SPREAD_MS: '0' });
  const client = await tunnel(router.port, a, 'acme');
  expect(await drain(router, 'cell-a', 100)).toMatchObject({ status: 200, body: { epoch: 3 } });
  await client.untilClosed();
  expect(client.received).toBe(SERVICE_RESTART);
});

test('a tunnel that is granted amid the handover is ended, too', async () => {
  const { a, router, explain } = await pair();
  const [client, socket] = await upgrade(router.port, a, 'acme');
  const drained = drain(router, 'cell-a', 100);
  await until('it is closing', async () => (await explain('acme')).cell === null);
  socket.write(SWITCHING);
  await client.untilReceived(SERVICE_RESTART);
  client.socket.end();
  expect((await drained).status).toBe(200);
});

test('an upgrade that is asked for amid the handover waits for its end, and goes to the other cell', async () => {
  const { a, b, router, untilHeld, explain } = await pair();
  const [first, socket] = await upgrade(router.port, a, 'acme');
  const drained = drain(router, 'cell-a', 100);
  const second = await openClient(router.port);
  onTestFinished(() => second.close());
  await until('it is closing', async () => (await explain('acme')).cell === null);
  second.send(head('GET /ws', ...UPGRADE));
  await untilHeld(1);
  socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
  expect((await first.answer()).status).toBe(403);
  expect((await drained).status).toBe(200);
  (await until('the other cell is asked', () => b.asked[0])).write(SWITCHING);
  const answer = await second.answer();
  expect([answer.status, valuesOf(answer, 'x-cell-id')]).toEqual([101, ['cell-b']]);
  expect(a.asked).toHaveLength(1);
});

test('a failover by hand ends the streams in the cell that lives on, whose requests it leaves alone', async () => {
  const { a, router, send } = await pair();
  const inside: (() => void)[] = [];
  a.scripts.set('/slow', (_, response) => inside.push(() => response.end('done')));
  const slow = send('acme', { path: '/slow' });
  const client = await tunnel(router.port, a, 'acme');
  await until('it is inside', () => inside.length === 1);
  const wish = { expiresIn: 86_400 };
  expect((await order(router, 'POST', '/v1/cells/cell-a/fail-over', wish)).status).toBe(200);
  await client.untilReceived(SERVICE_RESTART);
  client.socket.end();
  inside[0]?.();
  expect((await slow).headers['x-cell-id']).toBe('cell-a');
});
