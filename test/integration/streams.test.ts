// Server-sent events: they come one by one, outlive the time-out of a request, and end when the cell ends.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilNothingInside } from '../support/metrics.ts';
import { head, openClient, type RawClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const CELL_TIMEOUT_MS = 400;

let cell: StubCell;
let router: RunningRouter;
const streams: ServerResponse[] = [];

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  cell.scripts.set('/events', (_, response) => {
    streams.push(response);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
  });
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin } });
  router = await startRouter(fleet, { CELL_TIMEOUT_MS: String(CELL_TIMEOUT_MS) });
});

afterAll(async () => {
  await router.stop();
  await cell.close();
});

/** A client that has the head of its stream, and the cell's end of it. */
async function stream(...fields: string[]): Promise<{ client: RawClient; response: ServerResponse }> {
  const before = streams.length;
  const client = await openClient(router.port);
  client.send(head('GET /events', ...fields));
  const response = await until('the stream is asked for', () => streams[before]);
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

test('streams that are over leave nothing inside the cell', async () => {
  await untilNothingInside(router.admin);
});
