// Bodies both ways: streamed, paced, whole to the byte, and absent where HTTP says so.
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilNothingInside } from '../support/metrics.ts';
import { ask, head, openClient, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const FIVE_MIB = randomBytes(5 * 1_048_576);
const MAX_BODY_BYTES = 1000;

let cell: StubCell;
let router: RunningRouter;
let strict: RunningRouter;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin } });
  [router, strict] = await Promise.all([
    startRouter(fleet),
    startRouter(fleet, { MAX_BODY_BYTES: String(MAX_BODY_BYTES) }),
  ]);
});

afterAll(async () => {
  await Promise.all([router.stop(), strict.stop()]);
  await cell.close();
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function echoed(bytes: string): Promise<{ method: string; body: string }> {
  const answer = await ask(router.port, bytes);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body) as { method: string; body: string };
}

test.each(['GET', 'DELETE', 'OPTIONS', 'PROPFIND', 'POST', 'PUT', 'PATCH', 'QUERY'])(
  'the body of a %s reaches the cell',
  async (method) => {
    const sent = `${head(`${method} /with-body`, 'content-length: 5', 'content-type: text/plain')}hello`;
    expect(await echoed(sent)).toMatchObject({ method, body: 'hello' });
  },
);

test.each(['GET', 'DELETE', 'POST'])('a chunked body of a %s reaches the cell', async (method) => {
  const sent = `${head(`${method} /in-chunks`, 'Transfer-Encoding: chunked')}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`;
  expect(await echoed(sent)).toMatchObject({ method, body: 'hello' });
});

test('a POST without a body reaches the cell with a length of zero', async () => {
  cell.seen.length = 0;
  await ask(router.port, head('POST /empty', 'content-length: 0'));
  expect(cell.seen[0]).toMatchObject({ method: 'POST', body: '' });
  expect(cell.seen[0]?.headers).toMatchObject({ 'content-length': '0' });
});

test('an upload is streamed: its first bytes are there before its last are sent', async () => {
  let begun = '';
  cell.scripts.set('/streamed', (request, response) => {
    request.on('data', (chunk: Buffer) => (begun += chunk.toString()));
    request.on('end', () => response.end('whole'));
  });
  const client = await openClient(router.port);
  client.send(`${head('POST /streamed', 'Transfer-Encoding: chunked')}5\r\nfirst\r\n`);
  await until('the cell has the first bytes', () => begun === 'first');
  client.send('4\r\nlast\r\n0\r\n\r\n');
  expect((await client.answer('POST')).body).toBe('whole');
  expect(begun).toBe('firstlast');
  client.close();
});

test('an answer is streamed: its first bytes are there before its last are sent', async () => {
  const responses: ServerResponse[] = [];
  cell.scripts.set('/streaming', (_, response) => {
    responses.push(response);
    response.write('first');
  });
  const client = await openClient(router.port);
  client.send(head('GET /streaming'));
  await client.untilReceived('first');
  responses[0]?.end('last');
  expect((await client.answer()).body).toBe('firstlast');
  client.close();
});

test.each([
  ['with a length', { 'content-length': FIVE_MIB.length }],
  ['in chunks', {}],
])('5 MiB %s arrive at the cell to the byte, however slowly it reads', async (_, headers) => {
  const chunks: Buffer[] = [];
  cell.scripts.set('/upload', (request, response) => {
    // A pause after each chunk fills every buffer between the two ends.
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      request.pause();
      setImmediate(() => request.resume());
    });
    request.on('end', () => response.end());
  });
  const options = { port: router.port, method: 'POST', path: '/upload', agent: false as const };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = httpRequest({ ...options, headers: { 'x-tenant-id': 'acme', ...headers } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject);
    sent.end(FIVE_MIB);
  });
  expect(status).toBe(200);
  expect(digest(Buffer.concat(chunks))).toBe(digest(FIVE_MIB));
});

test.each([
  ['with a length', { 'content-length': FIVE_MIB.length }],
  ['in chunks', {}],
])('5 MiB %s arrive at the client to the byte, however slowly it reads', async (_, headers) => {
  cell.scripts.set('/download', (__, response) => response.writeHead(200, headers).end(FIVE_MIB));
  const answer = await fetch(`${router.url}/download`, { headers: { 'x-tenant-id': 'acme' } });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) {
    chunks.push(chunk as Uint8Array);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(digest(Buffer.concat(chunks))).toBe(digest(FIVE_MIB));
});

test('a client that stops reading slows the cell down instead of filling the router', async () => {
  let accepted = 0;
  const part = Buffer.alloc(1_048_576);
  cell.scripts.set('/flood', (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(part)) accepted += 1;
    };
    response.on('drain', () => {
      accepted += 1;
      more();
    });
    more();
  });
  const client = await openClient(router.port);
  client.send(head('GET /flood'));
  await client.untilReceived('HTTP/1.1 200');
  client.socket.pause();
  let last = -1;
  await until('the cell is slowed down', async () => {
    const stalled = accepted === last;
    last = accepted;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return stalled && accepted === last;
  });
  expect(accepted).toBeLessThan(64);
  client.reset();
  await untilNothingInside(router.admin);
});

test.each([
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 304],
])('the answer to %s with %i has no body, and the connection goes on', async (method, status) => {
  cell.scripts.set('/bodyless', (_, response) => {
    response.writeHead(status, { etag: '"x"', ...(status === 200 ? { 'content-length': 42 } : {}) }).end();
  });
  const client = await openClient(router.port);
  client.send(head(`${method} /bodyless`));
  const answer = await client.answer(method);
  expect(answer).toMatchObject({ status, body: '' });
  expect(valuesOf(answer, 'etag')).toEqual(['"x"']);
  if (method === 'HEAD') expect(valuesOf(answer, 'content-length')).toEqual(['42']);
  expect(valuesOf(answer, 'transfer-encoding')).toEqual([]);
  client.send(head('GET /next'));
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test('early hints end at the router, and the answer behind them passes', async () => {
  cell.scripts.set('/hints', (_, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end('after the hints');
  });
  const answer = await ask(router.port, head('GET /hints'));
  expect(answer).toMatchObject({ status: 200, interim: [], body: 'after the hints' });
});

test('trailers end at the router, together with their announcement', async () => {
  cell.scripts.set('/trailers', (request, response) => {
    request.resume().on('end', () => {
      response.setHeader('Trailer', 'X-Sum');
      response.write(JSON.stringify({ announced: request.headers.trailer, trailers: request.trailers }));
      response.addTrailers({ 'X-Sum': '1' });
      response.end();
    });
  });
  const chunked = ['Transfer-Encoding: chunked', 'Trailer: X-Sent'];
  const client = await openClient(router.port);
  client.send(`${head('POST /trailers', ...chunked)}1\r\na\r\n0\r\nX-Sent: 1\r\n\r\n`);
  await client.untilReceived('0\r\n');
  expect(client.received).not.toContain('X-Sum');
  const answer = await client.answer('POST');
  expect(JSON.parse(answer.body)).toEqual({ trailers: {} });
  client.close();
});

test('a client that asks whether to go on is told to, and then gets its answer', async () => {
  const client = await openClient(router.port);
  client.send(head('POST /expected', 'Expect: 100-continue', 'content-length: 5'));
  await client.untilReceived('HTTP/1.1 100 Continue');
  client.send('hello');
  const answer = await client.answer('POST');
  expect(answer).toMatchObject({ status: 200, interim: [100] });
  const seen = JSON.parse(answer.body) as { body: string; headers: Record<string, string> };
  expect(seen.body).toBe('hello');
  expect(seen.headers['expect']).toBeUndefined();
  client.close();
});

test('a cell may answer before it has read the body', async () => {
  cell.scripts.set('/impatient', (_, response) => response.writeHead(401).end('no'));
  const client = await openClient(router.port);
  client.send(`${head('POST /impatient', 'content-length: 200000')}${'a'.repeat(1000)}`);
  expect(await client.answer('POST')).toMatchObject({ status: 401, body: 'no' });
  client.send('a'.repeat(199_000) + head('GET /next'));
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test("a cell's connections are used again", async () => {
  await ask(router.port, head('GET /warm'));
  const ports = new Set<number | undefined>();
  cell.scripts.set('/port', (request, response) => {
    ports.add(request.socket.remotePort);
    response.end();
  });
  for (let i = 0; i < 10; i += 1) await ask(router.port, head('GET /port'));
  expect(ports.size).toBe(1);
});

test('an announced body above the limit is refused, the cell is not asked, the connection goes on', async () => {
  cell.seen.length = 0;
  const client = await openClient(strict.port);
  const tooLong = MAX_BODY_BYTES + 1;
  client.send(
    `${head('POST /long', `content-length: ${tooLong}`)}${'a'.repeat(tooLong)}${head('GET /next')}`,
  );
  const answer = await client.answer('POST');
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'body-too-large', status: 413 });
  expect((await client.answer()).status).toBe(200);
  expect(cell.seen.map(({ url }) => url)).toEqual(['/next']);
  client.close();
});

test('a chunked body that passes the limit on its way is refused, and the cell gets no whole one', async () => {
  let ended = false;
  let cut = false;
  cell.scripts.set('/growing', (request) => {
    request.on('error', () => undefined);
    request.resume().once('end', () => (ended = true));
    request.socket.once('close', () => (cut = true));
  });
  const client = await openClient(strict.port);
  const chunk = `190\r\n${'a'.repeat(400)}\r\n`;
  client.send(`${head('POST /growing', 'Transfer-Encoding: chunked')}${chunk.repeat(3)}`);
  const answer = await client.answer('POST');
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'body-too-large' });
  await until('the exchange with the cell is cut', () => cut);
  expect(ended).toBe(false);
  client.send(`0\r\n\r\n${head('GET /next')}`);
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test('a body of exactly the limit passes', async () => {
  const body = 'a'.repeat(MAX_BODY_BYTES);
  const answer = await ask(strict.port, `${head('POST /exact', `content-length: ${body.length}`)}${body}`);
  expect(answer.status).toBe(200);
});
