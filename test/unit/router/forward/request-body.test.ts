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
import { expect, onTestFinished, test } from 'vitest';
import { BodyTooLarge, ClientGone } from '../../../../router/forward/failure.ts';
import { hasBody, RequestBody } from '../../../../router/forward/request-body.ts';
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

async function failureOf(body: RequestBody): Promise<unknown> {
  try {
    for await (const _ of body) continue;
    return null;
  } catch (error) {
    return error;
  }
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
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  client.end(sent);
  const parts: Buffer[] = [];
  for await (const part of new RequestBody(message, null)) parts.push(part as Buffer);
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
});

test('a body as long as allowed passes, and one byte more does not', async () => {
  for (const [bytes, failure] of [
    [1_000, null],
    [1_001, expect.any(BodyTooLarge)],
  ] as const) {
    const { message, client } = await arrived(CHUNKED);
    client.end(Buffer.alloc(bytes));
    expect(await failureOf(new RequestBody(message, 1_000))).toEqual(failure);
  }
});

test('a body that is too long leaves the client’s connection open for its answer', async () => {
  const { message, response, client } = await arrived(CHUNKED);
  client.end(Buffer.alloc(500_000));
  await failureOf(new RequestBody(message, 1));
  response.writeHead(413).end();
  const [answer] = (await once(client, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(413);
  answer.resume();
});

test('a client that breaks off its body is told apart from one that ends it', async () => {
  const { message, client } = await arrived(CHUNKED);
  const failure = failureOf(new RequestBody(message, null));
  client.write('half');
  client.destroy();
  expect(await failure).toBeInstanceOf(ClientGone);
});

test('a cell that takes nothing is sent nothing: the client waits', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = new RequestBody(message, null);
  for (let i = 0; i < 64; i += 1) client.write(Buffer.alloc(65_536));
  await until('the client has to wait', () => client.writableNeedDrain);
  body.read(0);
  await until('the body is full', () => body.readableLength >= body.readableHighWaterMark);
  expect(body.readableLength).toBeLessThan(1_000_000);
  client.destroy();
  body.destroy();
});

test('a body whose exchange has ended early is read to its end and thrown away', async () => {
  const { message, client } = await arrived(CHUNKED);
  const body = new RequestBody(message, null);
  body.destroy();
  client.end(Buffer.alloc(500_000));
  await until('all of it was read', () => message.complete);
});
