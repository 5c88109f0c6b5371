// Heads that mean one thing only pass; any other is refused, by the reason that comes first.
import { expect, test } from 'vitest';
import { LIMITS } from '../../../router/limits.ts';
import { objectionTo } from '../../../router/request-check.ts';
import { headOf } from './heads.ts';

type Headers = [string, string][];

const HOST: Headers = [['Host', 'api.test']];

function codeFor(headers: Headers, more: Parameters<typeof headOf>[0] = {}): string | null {
  return objectionTo(headOf({ headers, host: 'api.test', ...more }))?.code ?? null;
}

test.each([
  'api.test',
  'api.test:8080',
  'api.test:',
  '127.0.0.1',
  '[::1]:80',
  'a_b.test',
  'xn--bcher-kva.test',
])('the host %s passes', (host) => expect(codeFor(HOST, { host })).toBeNull());

test.each([
  '',
  'a b',
  'a/b',
  'user@api.test',
  'u:p@api.test',
  'a?b',
  '[::1',
  'a:b',
  'a:123456',
  'a,\\b',
  'caf\u00e9',
])('the host %j is refused', (host) => expect(codeFor(HOST, { host })).toBe('bad-request'));

test('two hosts are refused, equal ones too', () => {
  expect(codeFor([...HOST, ['hOST', 'api.test']])).toBe('bad-request');
});

test('HTTP/1.0 may do without a host, HTTP/1.1 may not name an empty one', () => {
  expect(codeFor([], { host: '', version: '1.0' })).toBeNull();
  expect(codeFor([], { host: '' })).toBe('bad-request');
  expect(codeFor([['Host', '']], { host: '', version: '1.1' })).toBe('bad-request');
});

test.each(['0.9', '2.0', '3.0'])('version %s is refused', (version) => {
  expect(codeFor(HOST, { version })).toBe('bad-request');
});

test.each([
  ['chunked', null],
  ['CHUNKED', null],
  ['gzip, chunked', 'bad-request'],
  ['identity,chunked', 'bad-request'],
  [',chunked', 'bad-request'],
  ['chunked, chunked', 'bad-request'],
  ['chunked, gzip', 'bad-request'],
  ['chunked,', 'bad-request'],
  ['xchunked', 'bad-request'],
  ['"chunked"', 'bad-request'],
  ['gzip', 'bad-request'],
  ['', 'bad-request'],
])('Transfer-Encoding: %s is answered with %s', (value, code) => {
  expect(codeFor([...HOST, ['Transfer-Encoding', value]])).toBe(code);
});

test('HTTP/1.0 has no Transfer-Encoding', () => {
  expect(codeFor([...HOST, ['Transfer-Encoding', 'chunked']], { version: '1.0' })).toBe('bad-request');
});

test('a length that no number holds is refused', () => {
  expect(codeFor([...HOST, ['Content-Length', '9007199254740993']])).toBe('bad-request');
  expect(codeFor([...HOST, ['Content-Length', '9007199254740991']])).toBeNull();
});

test('a target of the longest length passes, a longer one does not', () => {
  const target = '/'.padEnd(LIMITS.uriBytes, 'a');
  expect([codeFor(HOST, { target }), codeFor(HOST, { target: `${target}a` })]).toEqual([
    null,
    'uri-too-long',
  ]);
});

test('as many fields as allowed pass, one more does not', () => {
  const fields = (count: number): Headers => [
    ...HOST,
    ...Array.from({ length: count - 1 }, (): [string, string] => ['X', '']),
  ];
  expect([codeFor(fields(LIMITS.headerFields)), codeFor(fields(LIMITS.headerFields + 1))]).toEqual([
    null,
    'headers-too-large',
  ]);
});

test('fields of the largest size pass, a byte more does not', () => {
  const used = 'Host'.length + 'api.test'.length + 'X'.length + 2 * 4;
  const value = 'a'.repeat(LIMITS.headerBytes - used);
  expect([codeFor([...HOST, ['X', value]]), codeFor([...HOST, ['X', `${value}a`]])]).toEqual([
    null,
    'headers-too-large',
  ]);
});

test('HTTP/2 names its host by the authority, and a Host beside it must say the same', () => {
  expect(codeFor([], { version: '2' })).toBeNull();
  expect(codeFor([['host', 'API.test']], { version: '2' })).toBeNull();
  expect(codeFor([['host', 'other.test']], { version: '2' })).toBe('bad-request');
  expect(codeFor([], { version: '2', host: '' })).toBe('bad-request');
});

test.each(['get', 'FETCH', '', 'GET /'])('over HTTP/2 the method %j is refused', (method) => {
  expect(codeFor([], { version: '2', method })).toBe('bad-request');
});

test.each(['/a b', '/a\tb', '/a\r\nx: y', '/\0', '/\x7f', ''])(
  'over HTTP/2 the target %j is refused',
  (target) => {
    expect(codeFor([], { version: '2', target })).toBe('bad-request');
  },
);

test('over HTTP/2 no transfer coding is known', () => {
  expect(codeFor([['transfer-encoding', 'chunked']], { version: '2' })).toBe('bad-request');
});
