// HTTP/2 when things go wrong, or on and on: what happens to one stream ends there, and nothing cut passes for whole.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { constants, type ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { askHttp2, openHttp2, openStream, replyTo, startTlsRouter, tlsEnv } from '../support/http2.ts';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';
import type { Certificates } from '../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'cellgate-http2-'));
let cell: StubCell;
let router: RunningRouter;
let files: Certificates;
let ca: Buffer;
let session: ClientHttp2Session;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin } });
  ({ router, files, ca } = await startTlsRouter(folder, fleet, { FALL: '100' }));
  session = openHttp2(router, ca);
});

afterAll(async () => {
  session.close();
  await untilNothingInside(router.admin);
  expect(await router.stop()).toBe(0);
  await cell.close();
  rmSync(folder, { recursive: true });
});

function sha(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** A path that answers nothing by itself: what the test does with it, and whether the router has left it. */
function holdOpen(path: string): {
  response: ServerResponse | null;
  bytes: number;
  left: boolean;
  whole: boolean;
} {
  const seen = { response: null as ServerResponse | null, bytes: 0, left: false, whole: false };
  cell.scripts.set(path, (request, response) => {
    seen.response = response;
    request.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
    request.on('end', () => (seen.whole = true)).on('error', () => undefined);
    response.on('close', () => (seen.left = !response.writableEnded));
  });
  return seen;
}

test('a client that resets its stream cancels the request at the cell, and its other streams go on', async () => {
  const [left, kept] = [holdOpen('/left'), holdOpen('/kept')];
  const [leaving, staying] = [openStream(session, '/left'), openStream(session, '/kept')];
  const reply = replyTo(staying);
  await until('both are at the cell', () => left.response !== null && kept.response !== null);
  leaving.close(constants.NGHTTP2_CANCEL);
  await until('the cell is left', () => left.left);
  expect(kept.left).toBe(false);
  kept.response?.end('still here');
  expect((await reply).body.toString()).toBe('still here');
});

test('a cell that dies amid its answer is an error of that stream, and of no other', async () => {
  const [broken, fine] = [holdOpen('/broken'), holdOpen('/fine')];
  const replies = ['/broken', '/fine'].map((path) => replyTo(openStream(session, path)));
  await until('both are at the cell', () => broken.response !== null && fine.response !== null);
  broken.response?.write('the first half');
  await new Promise((resolve) => broken.response?.write(', some more', resolve));
  broken.response?.socket?.resetAndDestroy();
  expect((await replies[0])?.resetCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  fine.response?.end('whole');
  expect((await replies[1])?.body.toString()).toBe('whole');
});

test('a cell that dies before its answer is a refusal', async () => {
  cell.scripts.set('/dies', (request) => request.socket.resetAndDestroy());
  const { status, body } = await askHttp2(session, '/dies', { ':method': 'POST' });
  expect([status, (JSON.parse(body.toString()) as { code: string }).code]).toEqual([
    502,
    'cell-connection-failed',
  ]);
});

test('events come one by one as they happen, and a client that leaves ends them', async () => {
  const seen = holdOpen('/events');
  const stream = openStream(session, '/events');
  let received = '';
  let status = 0;
  stream.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
  stream.on('response', (head) => (status = Number(head[':status'])));
  await until('the cell has it', () => seen.response);
  seen.response?.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  await until('the head is there before any event', () => status === 200);
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    seen.response?.write(event);
    await until(`${JSON.stringify(event)} is there`, () => received.endsWith(event));
  }
  expect(sumOf(await metricsOf(router.admin), 'cellgate_inside_tunnels')).toBe(1);
  stream.close(constants.NGHTTP2_CANCEL);
  await until('the cell is left', () => seen.left);
});

test('a client that does not read makes its cell wait, and then gets everything', async () => {
  // More than the kernel keeps for two connections.
  const sent = randomBytes(32_000_000);
  let written = 0;
  cell.scripts.set('/large', (_, response) => {
    const next = (): void => {
      while (written < sent.length) {
        const more = response.write(sent.subarray(written, written + 16_384));
        written += 16_384;
        if (!more) return void response.once('drain', next);
      }
      response.end();
    };
    next();
  });
  const stream = openStream(session, '/large');
  await new Promise((resolve) => stream.once('response', resolve));
  // The others are not in its way.
  expect((await askHttp2(session, '/meanwhile')).status).toBe(200);
  expect(written).toBeLessThan(sent.length);
  expect(sha((await replyTo(stream)).body)).toBe(sha(sent));
});

test('a cell that does not read makes its client wait, and then gets everything', async () => {
  const sent = randomBytes(4_000_000);
  let digest = '';
  let goOn = (): void => undefined;
  cell.scripts.set('/slow-cell', (request, response) => {
    goOn = () => {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      request.on('end', () => response.end((digest = hash.digest('hex'))));
    };
  });
  const stream = openStream(session, '/slow-cell', { ':method': 'POST' }, false);
  let passed = false;
  stream.write(sent, () => (passed = true));
  await until('the cell has it', () => cell.sockets.size > 0 && goOn.name === 'goOn');
  expect((await askHttp2(session, '/meanwhile')).status).toBe(200);
  expect(passed).toBe(false);
  const reply = replyTo(stream);
  goOn();
  stream.end();
  expect((await reply).body.toString()).toBe(digest);
  expect(digest).toBe(sha(sent));
});

test('at SIGTERM clients are told by GOAWAY, and what is under way is answered', async () => {
  const own = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv(files),
    DRAIN_GRACE_MS: '600000',
  });
  onTestFinished(async () => void (await own.stop()));
  const seen = holdOpen('/finishing');
  const [busy, quiet] = [openHttp2(own, ca), openHttp2(own, ca)];
  const goaways: number[] = [];
  for (const one of [busy, quiet]) one.on('goaway', (code) => goaways.push(code));
  expect((await askHttp2(quiet, '/before')).status).toBe(200);
  const reply = replyTo(openStream(busy, '/finishing'));
  await until('the cell has it', () => seen.response);
  own.kill('SIGTERM');
  await until('both are told', () => goaways.length === 2);
  expect(goaways).toEqual([0, 0]);
  await until('the quiet one is closed', () => quiet.destroyed);
  // During the grace a newcomer gets one answer, and is sent away with it.
  const late = openHttp2(own, ca);
  const told = new Promise((resolve) => late.once('goaway', resolve));
  expect((await askHttp2(late, '/late')).status).toBe(200);
  expect(await told).toBe(0);
  seen.response?.end('finished');
  expect((await reply).body.toString()).toBe('finished');
});

test('a stop waits for the streams under way, and cuts them when its time is up', async () => {
  const own = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv(files),
    DRAIN_TIMEOUT_MS: '500',
  });
  const [slow, endless] = [holdOpen('/slow'), holdOpen('/endless')];
  const client = openHttp2(own, ca);
  const replies = ['/slow', '/endless'].map((path) => replyTo(openStream(client, path)));
  await until('the cell has them', () => slow.response !== null && endless.response !== null);
  own.kill('SIGTERM');
  slow.response?.end('just in time');
  expect((await replies[0])?.body.toString()).toBe('just in time');
  expect((await replies[1])?.status).toBe(0);
  expect(await own.exited).toBe(0);
  await own.stop();
});

test('a run of requests on one connection outlives the death of its cell', async () => {
  const [home, neighbour] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  const cells = { 'cell-a': { origin: home.origin }, 'cell-b': { origin: neighbour.origin } };
  const own = await startRouter(fleetOf(cells, { pins: { acme: 'cell-a' } }), tlsEnv(files));
  const client = openHttp2(own, ca);
  const servedBy: string[] = [];
  const statuses = new Set<number>();
  const run = { going: true };
  const running = (async () => {
    while (run.going) {
      const replies = await Promise.all(Array.from({ length: 8 }, () => askHttp2(client, '/run')));
      for (const { status, headers } of replies) {
        statuses.add(status);
        servedBy.push(String(headers['x-cell-id']));
      }
    }
  })();
  await until('the home serves', () => servedBy.includes('cell-a'));
  await home.die();
  await until('the neighbour serves', () => servedBy.includes('cell-b'));
  run.going = false;
  await running;
  client.close();
  expect([...statuses]).toEqual([200]);
  expect(await own.stop()).toBe(0);
  await neighbour.close();
});
