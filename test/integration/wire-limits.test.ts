// How long a target may be, how many fields there may be and how large: up to the limit all pass, beyond it none.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startStrictCell, type StrictCell } from '../../loadtest/stubs/strict-cell.ts';
import { LIMITS } from '../../router/limits.ts';
import { ask, head, openClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';

let cell: StrictCell;
let router: RunningRouter;

beforeAll(async () => {
  cell = await startStrictCell();
  router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }));
});

beforeEach(() => {
  cell.seen.length = 0;
});

afterAll(async () => {
  await router.stop();
  await cell.close();
  expect(cell.faults).toEqual([]);
});

const LONGEST = '/'.padEnd(LIMITS.uriBytes, 'a');
/** `Host` and `x-tenant-id` of every request here, with colons, spaces and line ends. */
const OWN_BYTES = 'Host: api.test\r\nx-tenant-id: acme\r\n'.length;
const OWN_FIELDS = 2;

/** A field that brings the head to so many bytes of fields. */
function filledTo(bytes: number): string {
  return `X-Filler: ${'a'.repeat(bytes - OWN_BYTES - 'X-Filler: \r\n'.length)}`;
}

function fields(count: number): string[] {
  return Array.from({ length: count - OWN_FIELDS }, (_, i) => `X-${i}: 1`);
}

test('the longest target and the largest fields pass together', async () => {
  const answer = await ask(router.port, head(`GET ${LONGEST}`, filledTo(LIMITS.headerBytes)));
  expect(answer.status).toBe(200);
  expect(cell.seen[0]?.target).toBe(LONGEST);
});

test('as many fields as allowed pass', async () => {
  expect((await ask(router.port, head('GET /', ...fields(LIMITS.headerFields)))).status).toBe(200);
});

test.each<[string, number, string, string]>([
  ['a longer target', 414, 'uri-too-long', head(`GET ${LONGEST}a`)],
  ['a target of 40,000 bytes', 414, 'uri-too-long', head(`GET /${'a'.repeat(40_000)}`)],
  ['larger fields', 431, 'headers-too-large', head('GET /', filledTo(LIMITS.headerBytes + 1))],
  ['fields of 40,000 bytes', 431, 'headers-too-large', head('GET /', filledTo(40_000))],
  ['one field more', 431, 'headers-too-large', head('GET /', ...fields(LIMITS.headerFields + 1))],
  ['thousands of fields', 431, 'headers-too-large', head('GET /', ...fields(5_000))],
])('%s is a %i, the cell is not asked, and the connection goes on', async (_, status, code, bytes) => {
  const client = await openClient(router.port);
  client.send(bytes + head('GET /next'));
  const answer = await client.answer();
  expect([answer.status, (JSON.parse(answer.body) as { code: string }).code]).toEqual([status, code]);
  expect((await client.answer()).status).toBe(200);
  expect(cell.seen.map(({ target }) => target)).toEqual(['/next']);
  client.close();
});

test('a field beyond the thousandth still says where the body ends', async () => {
  const many = Array.from({ length: 3_000 }, () => 'X:');
  const client = await openClient(router.port);
  const both = ['Content-Length: 5', 'Transfer-Encoding: chunked'];
  client.send(`${head('POST /', ...many, ...both)}0\r\n\r\n${head('GET /smuggled')}`);
  expect((await client.answer()).status).toBe(400);
  await client.untilClosed();
  expect(cell.seen).toEqual([]);
});

test('trailers beyond all measure are refused, and the connection ends', async () => {
  const client = await openClient(router.port);
  client.send(
    `${head('POST /', 'Transfer-Encoding: chunked')}0\r\n${`X: ${'a'.repeat(10_000)}\r\n`.repeat(10)}\r\n`,
  );
  expect((await client.answer('POST')).status).toBe(431);
  await client.untilClosed();
});
