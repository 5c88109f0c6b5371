// Clients that take their time on purpose: each kind is closed by its own limit, while ordinary requests go on.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { ask, head, openClient, type RawClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

/** Of each kind at once. */
const CLIENTS = 5;
const TRICKLE_MS = 500;
/** A bound against hanging, well above the longest limit. */
const LONGEST_MS = 90_000;

let cell: StubCell;
let router: RunningRouter;
const timers: NodeJS.Timeout[] = [];
const clients: RawClient[] = [];

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  cell.scripts.set('/never', (request) => void request.resume());
  cell.scripts.set('/large', (_, response) => response.end(Buffer.alloc(30_000_000)));
  router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), { CELL_TIMEOUT_MS: '600000' });
});

afterAll(async () => {
  for (const timer of timers) clearInterval(timer);
  for (const client of clients) client.close();
  await router.stop();
  await cell.close();
});

/** Clients that send `first`, and then `more` again and again. */
async function attack(first: string, more: string): Promise<RawClient[]> {
  const attackers = await Promise.all(Array.from({ length: CLIENTS }, () => openClient(router.port)));
  for (const client of attackers) {
    client.send(first);
    if (more !== '') timers.push(setInterval(() => client.closed || client.send(more), TRICKLE_MS));
  }
  clients.push(...attackers);
  return attackers;
}

async function untilAllClosed(attackers: readonly RawClient[]): Promise<void> {
  await until('all are closed', () => attackers.every(({ closed }) => closed), LONGEST_MS);
}

const upload = (path: string): string => head(`POST ${path}`, 'Content-Length: 1000000');

test(
  'every kind of slow client is closed, and ordinary requests go on',
  { timeout: LONGEST_MS },
  async () => {
    const silent = attack('', '');
    const slowHeads = attack('GET / HTTP/1.1\r\n', 'X-A: 1\r\n');
    const slowBodies = attack(upload('/never'), 'a');
    const refusedBodies = attack(upload('/never').replace('acme', ''), 'a');
    const slowReaders = attack(head('GET /large'), '');
    for (const client of await slowReaders) client.socket.pause();
    const all = (await Promise.all([silent, slowHeads, slowBodies, refusedBodies])).flat();
    const statuses: number[] = [];
    const ordinary = setInterval(() => {
      void ask(router.port, head('GET /ordinary')).then(
        ({ status }) => statuses.push(status),
        () => statuses.push(0),
      );
    }, 100);
    timers.push(ordinary);
    await untilAllClosed(all);
    // A socket that is not read does not tell that it was closed: the router does.
    await untilNothingInside(router.admin);
    clearInterval(ordinary);
    expect(statuses.length).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    const told = await Promise.all([slowHeads, slowBodies, refusedBodies]);
    expect(told.map((group) => group.map(({ received }) => received.slice(9, 12)))).toEqual(
      ['408', '408', '400'].map((status) => Array.from({ length: CLIENTS }, () => status)),
    );
  },
);

test.concurrent('who is slow for a reason is not closed', { timeout: LONGEST_MS }, async () => {
  const stalled: ServerResponse[] = [];
  cell.scripts.set('/stalled', (_, response) => void stalled.push(response));
  cell.scripts.set('/events', (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const [steady] = await attack(upload('/never'), 'a'.repeat(500));
  const [events] = await attack(head('GET /events'), '');
  const [unread] = await attack(upload('/stalled').replace('1000000', '30000000'), '');
  unread?.send(Buffer.alloc(30_000_000));
  const begun = performance.now();
  await until('more than the limit has passed', () => performance.now() - begun > 25_000, LONGEST_MS);
  expect([steady?.closed, events?.closed, unread?.closed]).toEqual([false, false, false]);
  stalled[0]?.destroy();
});

test('a flood of connections closes the quiet ones first, and ordinary clients get in', async () => {
  const small = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), { MAX_CONNECTIONS: '50' });
  const busy = await openClient(small.port);
  const flood: RawClient[] = [];
  onTestFinished(async () => {
    for (const client of [busy, ...flood]) client.close();
    await small.stop();
  });
  const open: ServerResponse[] = [];
  cell.scripts.set('/open', (_, response) => void open.push(response));
  busy.send(head('GET /open'));
  await until('it is under way', () => open[0]);
  for (let i = 0; i < 200; i += 1) flood.push(await openClient(small.port));
  for (let i = 0; i < 10; i += 1) expect((await ask(small.port, head('GET /in'))).status).toBe(200);
  await until('there is room for no more', () => flood.filter(({ closed }) => !closed).length < 50);
  expect(sumOf(await metricsOf(small.admin), 'cellgate_client_connections')).toBeLessThanOrEqual(50);
  open[0]?.end('at last');
  expect(await busy.answer()).toMatchObject({ status: 200, body: 'at last' });
});
