// Server-sent events: they come one by one, outlive the time-out of a request, and end when the cell ends.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { ask, head, openClient, valuesOf, type RawClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const CELL_TIMEOUT_MS = 400;
const STREAMS_MOST = 3;

let cell: StubCell;
let router: RunningRouter;
const streams: ServerResponse[] = [];

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  cell.scripts.set('/events', (request, response) => {
    streams.push(response);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
    if (request.method === 'HEAD') response.end();
  });
  const cells = { 'cell-a': { origin: cell.origin, capacity: { tunnels: STREAMS_MOST } } };
  router = await startRouter(fleetOf(cells), { CELL_TIMEOUT_MS: String(CELL_TIMEOUT_MS) });
});

afterAll(async () => {
  await router.stop();
  await cell.close();
});

/** A client that has the head of its stream, and the cell's end of it. */
async function stream(...fields: string[]): Promise<{ client: RawClient; response: ServerResponse }> {
  const id = randomUUID();
  const client = await openClient(router.port);
  client.send(head('GET /events', `X-Request-Id: ${id}`, ...fields));
  const response = await until('the stream is asked for', () =>
    streams.find(({ req }) => req.headers['x-request-id'] === id),
  );
  await client.untilReceived('\r\n\r\n');
  return { client, response };
}

test('each event is there before the next one is sent', async () => {
  const { client, response } = await stream('Accept: text/event-stream');
  for (const event of ['data: 1\n\n', 'data: 2\n\n', 'id: 3\nevent: x\ndata: 3\n\n']) {
    response.write(event);
    await client.untilReceived(event);
  }
  client.close();
  await until('the cell sees its client gone', () => response.destroyed);
});

test('a client that does not say that it wants events gets the head before the first one as well', async () => {
  const { client } = await stream();
  expect(client.received).toContain('text/event-stream');
  client.close();
});

test('a silent stream outlives the time-out of a request', async () => {
  const { client, response } = await stream('Accept: text/event-stream');
  const begun = performance.now();
  await until('three time-outs have passed', () => performance.now() - begun > 3 * CELL_TIMEOUT_MS);
  response.write('data: late\n\n');
  await client.untilReceived('data: late');
  client.close();
});

test('the end of a stream is its end for the client', async () => {
  const { client, response } = await stream('Accept: text/event-stream');
  response.end('data: last\n\n');
  expect(await client.answer()).toMatchObject({ whole: true, body: 'data: last\n\n' });
  client.close();
});

test('the death of the cell cuts the stream at once', async () => {
  const { client, response } = await stream('Accept: text/event-stream');
  response.write('data: 1\n\n');
  await client.untilReceived('data: 1');
  response.socket?.resetAndDestroy();
  expect(await client.answer()).toMatchObject({ status: 200, whole: false });
});

async function inside(kind: 'requests' | 'tunnels'): Promise<number> {
  return sumOf(await metricsOf(router.admin), `cellgate_inside_${kind}`);
}

test('a stream counts as a tunnel, no longer as a request, until it is over', async () => {
  await untilNothingInside(router.admin);
  const { client } = await stream();
  expect([await inside('tunnels'), await inside('requests')]).toEqual([1, 0]);
  client.close();
  await untilNothingInside(router.admin);
});

test('a stream beyond the limit is refused before any of it is sent, and aborted at the cell', async () => {
  await untilNothingInside(router.admin);
  const open = await Promise.all(Array.from({ length: STREAMS_MOST }, () => stream()));
  const before = streams.length;
  const client = await openClient(router.port);
  client.send(head('GET /events'));
  const answer = await client.answer();
  expect(answer).toMatchObject({ status: 503, whole: true });
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'cell-overloaded' });
  expect(valuesOf(answer, 'content-type')).toEqual(['application/problem+json']);
  await until('the cell sees it aborted', () => streams[before]?.destroyed);
  client.send(head('GET /orders'));
  expect((await client.answer()).status).toBe(200);
  expect([await inside('tunnels'), await inside('requests')]).toEqual([STREAMS_MOST, 0]);
  for (const one of [...open, { client }]) one.client.close();
  await untilNothingInside(router.admin);
});

test('events that say how long they are need no place among the tunnels', async () => {
  cell.scripts.set('/short', (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': 9 }).end('data: 1\n\n');
  });
  const open = await Promise.all(Array.from({ length: STREAMS_MOST }, () => stream()));
  expect(await ask(router.port, head('GET /short'))).toMatchObject({ status: 200, body: 'data: 1\n\n' });
  expect(await ask(router.port, head('HEAD /events'))).toMatchObject({ status: 200 });
  for (const { client } of open) client.close();
});

test('streams that are over leave nothing inside the cell', async () => {
  await untilNothingInside(router.admin);
});
