// The client's body on its way to the cell, from real requests.
import { once } from 'node:events';
import {
  createServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Client } from '../../../../router/client.ts';
import { BodySource, hasBody, type BodySink } from '../../../../router/forward/body-source.ts';
import { BodyTooLarge, ClientGone } from '../../../../router/forward/failure.ts';
import { until } from '../../../support/wait.ts';

type Arrived = { message: IncomingMessage; response: ServerResponse; client: ClientRequest };

/** A request that has arrived at a server of the test's own, its head alone so far. */
async function arrived(headers: Record<string, string>, method = 'POST'): Promise<Arrived> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const client = request({ port: (server.address() as AddressInfo).port, method, headers });
  client.on('error', () => undefined);
  client.flushHeaders();
  const [message, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  return { message, response, client };
}

const CHUNKED = { 'transfer-encoding': 'chunked' };

/** The side of its client that a body is read from. */
function clientOf(message: IncomingMessage): Pick<Client, 'body' | 'complete'> {
  return {
    body: message,
    get complete() {
      return message.complete;
    },
  };
}

/** One sending's body as a stream, which takes as much as is read of it; destroying it ends the sending. */
function streamOf(source: BodySource): Readable {
  const sink: BodySink = {
    part: (chunk) => stream.push(chunk),
    end: () => void stream.push(null),
    broke: (error) => void stream.destroy(error),
  };
  const stream = new Readable({
    read: () => source.resume(sink),
    destroy: (error, callback) => {
      source.leave(sink);
      callback(error);
    },
  });
  source.sendTo(sink);
  return stream;
}

function sourceOf(
  message: IncomingMessage,
  limits: { maxBytes?: number; replayBytes?: number } = {},
): BodySource {
  return new BodySource(clientOf(message), { maxBytes: null, replayBytes: 65_536, ...limits });
}

async function read(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function failureOf(stream: Readable): Promise<unknown> {
  return await read(stream).then(
    () => null,
    (error: unknown) => error,
  );
}

/** Bytes that are no two neighbours alike, so that a lost or doubled part shows. */
function bytesOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => i % 251));
}

test.each([
  [{}, 'GET', false],
  [{ 'content-length': '0' }, 'POST', false],
  [{ 'content-length': '1' }, 'GET', true],
  [CHUNKED, 'GET', true],
  [CHUNKED, 'POST', true],
])('with %j a %s has a body: %s', async (headers, method, expected) => {
  const { message } = await arrived(headers, method);
  expect(hasBody(message)).toBe(expected);
});

test('a body passes byte for byte', async () => {
  const { message, client } = await arrived(CHUNKED);
  const sent = bytesOf(300_000);
  client.end(sent);
  expect((await read(streamOf(sourceOf(message)))).equals(sent)).toBe(true);
});

test('a body as long as allowed passes, and one byte more does not', async () => {
  for (const [bytes, failure] of [
    [1_000, null],
    [1_001, expect.any(BodyTooLarge)],
  ] as const) {
    const { message, client } = await arrived(CHUNKED);
    client.end(Buffer.alloc(bytes));
    expect(await failureOf(streamOf(sourceOf(message, { maxBytes: 1_000 })))).toEqual(failure);
  }
});

test('a body that is too long leaves the client’s connection open for its answer', async () => {
  const { message, response, client } = await arrived(CHUNKED);
  client.end(Buffer.alloc(500_000));
  const body = sourceOf(message, { maxBytes: 1 });
  await failureOf(streamOf(body));
  expect(body.replayable).toBe(false);
  response.writeHead(413).end();
  const [answer] = (await once(client, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(413);
  answer.resume();
});

test('a client that breaks off its body is told apart from one that ends it', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  const failure = failureOf(streamOf(body));
  client.write('half');
  client.destroy();
  expect(await failure).toBeInstanceOf(ClientGone);
  expect(body.replayable).toBe(false);
  expect(await failureOf(streamOf(body))).toBeInstanceOf(ClientGone);
});

test('a cell that takes nothing is sent nothing: the client waits', async () => {
  const { message, client } = await arrived(CHUNKED);
  const stream = streamOf(sourceOf(message));
  for (let i = 0; i < 64; i += 1) client.write(Buffer.alloc(65_536));
  await until('the client has to wait', () => client.writableNeedDrain);
  stream.read(0);
  await until('the body is full', () => stream.readableLength >= stream.readableHighWaterMark);
  expect(stream.readableLength).toBeLessThan(1_000_000);
  client.destroy();
  stream.destroy();
});

test('before the first sending nothing is read: a body may wait at its client', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  for (let i = 0; i < 64; i += 1) client.write(Buffer.alloc(65_536));
  await until('the client has to wait', () => client.writableNeedDrain);
  expect([body.replayable, message.readableFlowing]).toEqual([true, false]);
  client.end();
  expect(await read(streamOf(body))).toHaveLength(64 * 65_536);
});

test('a body that was read whole is sent again from its first byte', async () => {
  const { message, client } = await arrived(CHUNKED);
  const sent = bytesOf(65_536);
  client.end(sent);
  const body = sourceOf(message);
  for (let sending = 0; sending < 3; sending += 1) {
    expect((await read(streamOf(body))).equals(sent)).toBe(true);
    expect(body.replayable).toBe(true);
  }
});

test('a body of one byte more than is kept can not be sent again', async () => {
  for (const [bytes, replayable] of [
    [1_000, true],
    [1_001, false],
  ] as const) {
    const { message, client } = await arrived(CHUNKED);
    client.end(Buffer.alloc(bytes));
    const body = sourceOf(message, { replayBytes: 1_000 });
    await read(streamOf(body));
    expect(body.replayable).toBe(replayable);
  }
});

test('with nothing kept only an unread body can be sent again', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message, { replayBytes: 0 });
  expect(body.replayable).toBe(true);
  client.end('x');
  await read(streamOf(body));
  expect(body.replayable).toBe(false);
});

test('after a sending that ended half-way the next one has the whole body', async () => {
  const { message, client } = await arrived(CHUNKED);
  const sent = bytesOf(50_000);
  client.write(sent.subarray(0, 20_000));
  const body = sourceOf(message);
  const first = streamOf(body);
  first.on('data', () => undefined);
  await until('the first part has passed', () => first.readableDidRead);
  first.destroy();
  client.end(sent.subarray(20_000));
  expect((await read(streamOf(body))).equals(sent)).toBe(true);
});

test('the stream of an earlier sending gets no more once the next has begun', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  const first = streamOf(body);
  let late = 0;
  first.on('data', (chunk: Buffer) => (late += chunk.length));
  const second = streamOf(body);
  client.end(bytesOf(10_000));
  expect(await read(second)).toHaveLength(10_000);
  expect([late, first.destroyed]).toEqual([0, false]);
  first.destroy();
});

test('ending an earlier stream late does not stop the one that is read now', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  const first = streamOf(body);
  const second = streamOf(body);
  const all = read(second);
  client.write(bytesOf(1_000));
  await until('it is being read', () => second.readableDidRead);
  first.destroy();
  client.end(bytesOf(1_000));
  expect(await all).toHaveLength(2_000);
});

test('a stream that is destroyed leaves the client’s socket alone', async () => {
  const { message, response, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  client.write(bytesOf(1_000));
  for (const error of [new Error('cell gone'), undefined]) {
    const stream = streamOf(body);
    stream.on('error', () => undefined);
    stream.destroy(error);
    await until('it is closed', () => stream.closed);
  }
  expect([message.destroyed, message.socket.destroyed]).toEqual([false, false]);
  response.writeHead(200).end('still here');
  const [answer] = (await once(client, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  answer.resume();
  client.destroy();
});

test('a body whose exchange has ended early is read to its end and thrown away', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = sourceOf(message);
  streamOf(body).destroy();
  body.discard();
  client.end(Buffer.alloc(500_000));
  await until('all of it was read', () => message.complete);
  expect(body.replayable).toBe(false);
});

test('however a body comes and wherever sendings break off, the last one has all of it', async () => {
  const bodies = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(bodies, cuts, async (sizes, breaks) => {
      const { message, client } = await arrived(CHUNKED);
      const sent = bytesOf(sizes.reduce((sum, size) => sum + size, 0));
      const body = sourceOf(message, { replayBytes: sent.length });
      let at = 0;
      let stream = streamOf(body);
      for (const [i, size] of sizes.entries()) {
        client.write(sent.subarray(at, at + size));
        at += size;
        if (!breaks.includes(i)) continue;
        stream.read();
        stream.destroy();
        stream = streamOf(body);
      }
      client.end();
      expect((await read(stream)).equals(sent)).toBe(true);
      expect((await read(streamOf(body))).equals(sent)).toBe(true);
      client.destroy();
    }),
    { numRuns: 60 },
  );
});
