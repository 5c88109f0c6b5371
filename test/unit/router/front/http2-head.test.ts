// From an HTTP/2 header list to the head that the decisions read.
import { expect, test } from 'vitest';
import { readHttp2Head } from '../../../../router/front/http2-head.ts';

const PEER = { peer: '192.0.2.7', fromTrustedProxy: false, secure: true };
const PSEUDO = [':method', 'GET', ':scheme', 'https', ':authority', 'api.test', ':path', '/a?b=1'];

function headFor(fields: string[], pseudo: string[] = PSEUDO) {
  return readHttp2Head([...pseudo, ...fields], PEER);
}

test('pseudo-fields become the request line and the host, and are no header fields', () => {
  expect(headFor(['x-own', '1'])).toEqual({
    method: 'GET',
    version: '2',
    target: '/a?b=1',
    path: '/a',
    host: 'api.test',
    rawHeaders: ['x-own', '1'],
    ...PEER,
  });
});

test('crumbs of a cookie are one field where the first one was', () => {
  const { rawHeaders } = headFor(['cookie', 'a=1', 'x-own', '1', 'cookie', 'b=2', 'cookie', 'c=3']);
  expect(rawHeaders).toEqual(['cookie', 'a=1; b=2; c=3', 'x-own', '1']);
});

test('any other field that comes twice stays two', () => {
  expect(headFor(['x-tenant-id', 'a', 'x-tenant-id', 'b']).rawHeaders).toHaveLength(4);
});

test('without an authority the host is that of the field', () => {
  expect(headFor(['host', 'other.test'], [':method', 'GET', ':path', '/']).host).toBe('other.test');
});

test('the authority beats a host, which is left for the check to see', () => {
  const { host, rawHeaders } = headFor(['host', 'other.test']);
  expect([host, rawHeaders]).toEqual(['api.test', ['host', 'other.test']]);
});

test('CONNECT has its authority for a target', () => {
  expect(headFor([], [':method', 'CONNECT', ':authority', 'a:443'])).toMatchObject({ target: 'a:443' });
});
