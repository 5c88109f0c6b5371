// Whatever our reader takes for an answer, Node's strict parser reads in the same way, over a real socket.
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Asked } from '../../../../../router/forward/wire/answer-parser.ts';
import { GET, mangled, read, samples } from './answers.ts';

type Reading = { status: number; reason: string; fields: string[]; body: string };

/** What the next connection is answered with, whatever it asks; then it ends. */
let next = '';
let server: Server;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.from(next, 'latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => await new Promise((resolve) => server.close(resolve)));

/** How Node reads it; null: not as one whole answer. */
async function nodeReads(text: string, { method }: Asked): Promise<Reading | null> {
  next = text;
  const { port } = server.address() as AddressInfo;
  const outgoing = request({
    port,
    method,
    agent: false,
    insecureHTTPParser: false,
    maxHeaderSize: 1_048_576,
  });
  const reading = await new Promise<Reading | null>((resolve) => {
    outgoing.once('error', () => resolve(null));
    outgoing.once('close', () => resolve(null));
    outgoing.once('response', (message) => {
      bodyOf(message).then(
        (body) => {
          const { statusCode, statusMessage, rawHeaders } = message;
          resolve({ status: statusCode ?? 0, reason: statusMessage ?? '', fields: rawHeaders, body });
        },
        () => resolve(null),
      );
    });
    outgoing.end();
  });
  outgoing.destroy();
  return reading;
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of message) body += (chunk as Buffer).toString('latin1');
  if (!message.complete) throw new Error('cut');
  return body;
}

/** How we do. Null: not as one whole answer, and nothing else. */
function weRead(text: string, asked: Asked): Reading | null {
  const { heads, body, whole, outcome } = read([text], asked, true);
  const [head] = heads;
  if (head === undefined || !whole || outcome === 'surplus') return null;
  const { status, reason, fields } = head;
  return { status, reason, fields, body };
}

test('every well-formed answer means the same to both', async () => {
  await fc.assert(
    fc.asyncProperty(samples, async ({ asked, text }) => {
      const ours = weRead(text, asked);
      expect(ours).not.toBe(null);
      expect(await nodeReads(text, asked)).toEqual(ours);
    }),
    { numRuns: 300 },
  );
});

test('whatever comes instead of one means the same to both, if we take it for one', async () => {
  const cases = samples.chain(({ asked, text }) => fc.tuple(fc.constant(asked), mangled(text)));
  await fc.assert(
    fc.asyncProperty(cases, async ([asked, text]) => {
      const ours = weRead(text, asked);
      if (ours !== null) expect(await nodeReads(text, asked)).toEqual(ours);
    }),
    { numRuns: 3_000 },
  );
});

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

test.each([
  ['an empty line before it', `\r\n${OK}Content-Length: 1\r\n\r\nx`],
  ['a coding beside chunked', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`],
  ['a coding alone', `${OK}Transfer-Encoding: gzip\r\n\r\nx`],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'],
  ['a size of a chunk with 14 digits', `${CHUNKED}00000000000001\r\nx\r\n0\r\n\r\n`],
])('we alone refuse an answer with %s', async (_, text) => {
  expect(weRead(text, GET)).toBe(null);
  expect(await nodeReads(text, GET)).toMatchObject({ status: 200 });
});
