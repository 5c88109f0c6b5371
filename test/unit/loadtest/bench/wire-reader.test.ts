// The reference reader: which requests some bytes make, and where nobody may read on.
import { expect, test } from 'vitest';
import { readMade } from '../../../../loadtest/bench/wire-reader.ts';
import { readRequest } from '../../../../loadtest/stubs/strict-parser.ts';

const HEAD = 'Host: a\r\nx-tenant-id: acme\r\n';
const GET = `GET /1 HTTP/1.1\r\n${HEAD}\r\n`;

function targets(text: string): string[] {
  return readMade(text).made.map(({ target }) => target);
}

test('requests in a row are each one', () => {
  const post = `POST /2 HTTP/1.1\r\n${HEAD}Content-Length: ${GET.length}\r\n\r\n${GET}`;
  const reading = readMade(GET + post + GET);
  expect(reading).toMatchObject({ rest: 'nothing', closes: false });
  expect(reading.made.map(({ target, body }) => [target, body])).toEqual([
    ['/1', ''],
    ['/2', GET],
    ['/1', ''],
  ]);
});

test('chunks are one body, their extensions and trailers no part of it', () => {
  const text = `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n`;
  expect(readMade(text)).toMatchObject({ made: [{ body: 'abc', tenant: 'acme' }], rest: 'nothing' });
});

test.each([
  ['both a length and chunks', 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'],
  ['a coding that is unknown', 'Transfer-Encoding: gzip, chunked\r\n'],
  ['a second host', 'Host: b\r\n'],
  ['a folded field', ' folded\r\n'],
  ['a bare LF', 'X-A: 1\nX-B: 2\r\n'],
])('%s ends the reading', (_, field) => {
  const bad = `GET /bad HTTP/1.1\r\n${HEAD}${field}\r\n`;
  expect(targets(GET + bad + GET)).toEqual(['/1']);
  expect(readMade(bad).rest).toBe('unreadable');
});

test('what is not whole was not made', () => {
  expect(readMade(`${GET}POST / HTTP/1.1\r\n${HEAD}Content-Length: 9\r\n\r\nhalf`)).toMatchObject({
    made: [{ target: '/1' }],
    rest: 'more-to-come',
  });
});

test('nothing comes after a goodbye', () => {
  const last = `GET /last HTTP/1.1\r\n${HEAD}Connection: x, close\r\n\r\n`;
  expect([targets(last + GET), readMade(last + GET).closes]).toEqual([['/last'], true]);
});

test('the strict reader of the cell takes what the standard writes, and nothing else', () => {
  expect(readRequest(GET)?.request).toMatchObject({ method: 'GET', target: '/1', body: '' });
  expect(readRequest(GET.slice(0, -1))).toBeNull();
  for (const bad of ['GET  /1', 'GET http://a/', 'GET *'])
    expect(() => readRequest(GET.replace('GET /1', bad))).toThrow('the line');
  expect(() => readRequest(GET.replace('Host: a', 'Hos: a'))).toThrow('not one host');
});
