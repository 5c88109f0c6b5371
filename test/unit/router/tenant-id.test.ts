// What a tenant ID may be, and how it travels in headers.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeHeaderValue, encodeHeaderValue, isTenantId } from '../../../router/tenant-id.ts';

test.each([
  'a',
  'acme',
  '007',
  'A.b-c_d:e@f',
  'x'.repeat(128),
  'ü'.repeat(64),
  'テナント',
  '👩‍💻'.replace('\u200d', ''),
  'a/b',
  '..',
  '%41',
  '"quoted"',
  '__proto__',
])('"%s" is a tenant ID', (id) => {
  expect(isTenantId(id)).toBe(true);
});

test.each([
  ['nothing', ''],
  ['129 bytes', 'x'.repeat(129)],
  ['130 bytes of 65 characters', 'ü'.repeat(65)],
  ['a blank inside', 'a b'],
  ['a blank at an end', 'acme '],
  ['a no-break space', 'a\u00a0b'],
  ['an ideographic space', 'a\u3000b'],
  ['a tab', 'a\tb'],
  ['a line break', 'a\nb'],
  ['a line break at the end', 'acme\n'],
  ['a NUL', 'a\0b'],
  ['DEL', 'a\u007fb'],
  ['a C1 control', 'a\u0085b'],
  ['a zero width joiner', 'a\u200db'],
  ['a byte order mark', '\ufeffacme'],
  ['a right-to-left override', 'a\u202eb'],
  ['a private use character', 'a\ue000b'],
  ['half of a pair', 'a\ud800b'],
  ['a comma', 'a,b'],
  ['a line separator', 'a\u2028b'],
])('%s is no tenant ID', (_, id) => {
  expect(isTenantId(id)).toBe(false);
});

const tenantIds = fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }).filter(isTenantId);

test('every tenant ID survives its way through a header byte for byte', () => {
  fc.assert(
    fc.property(tenantIds, (id) => {
      const header = encodeHeaderValue(id);
      expect(Buffer.from(header, 'latin1')).toEqual(Buffer.from(id, 'utf8'));
      expect(decodeHeaderValue(header)).toBe(id);
    }),
  );
});

test('a tenant ID is never longer than 128 bytes', () => {
  fc.assert(fc.property(tenantIds, (id) => Buffer.byteLength(id) <= 128));
});

test('bytes that are not UTF-8 are told apart from text', () => {
  for (const bytes of [[0xff], [0xc3], [0xc0, 0xae], [0xed, 0xa0, 0x80], [0x61, 0xe9]]) {
    expect(decodeHeaderValue(Buffer.from(bytes).toString('latin1'))).toBeNull();
  }
});

test('a byte order mark is not swallowed on the way', () => {
  expect(decodeHeaderValue('\xef\xbb\xbfacme')).toBe('\ufeffacme');
});

test('decoding takes any bytes without throwing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = decodeHeaderValue(Buffer.from(bytes).toString('latin1'));
      if (text !== null) expect(Buffer.from(text, 'utf8')).toEqual(Buffer.from(bytes));
    }),
  );
});
