// Cursors: what was handed out comes back, and nothing else gets through.
import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from '../../../../cell-template/orders/cursor.ts';

const cursor = { createdAtMicros: '1764506000123456', id: '01a22cbc-cf02-708c-9c0e-f08883d2af72' };

test('a cursor comes back as it was, to the microsecond', () => {
  expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
});

test('a cursor is safe in a URL', () => {
  expect(encodeCursor(cursor)).toMatch(/^[A-Za-z0-9_-]+$/);
});

const plain = (text: string): string => Buffer.from(text).toString('base64url');

test.each([
  ['nothing', ''],
  ['no base64url', '%%%'],
  ['another text', plain('hello')],
  ['a time alone', plain('1764506000123456')],
  ['no UUID', plain('1764506000123456.------------------------------------')],
  ['a time that no timestamp holds', plain(`${'9'.repeat(17)}.${cursor.id}`)],
  ['a negative time', plain(`-1.${cursor.id}`)],
  ['SQL', plain(`1'; drop table orders; --.${cursor.id}`)],
  ['padding', `${encodeCursor(cursor)}=`],
  ['something after it', plain(`1764506000123456.${cursor.id} `)],
])('%s is no cursor', (_name, text) => {
  expect(decodeCursor(text)).toBeNull();
});

test('no text whatever makes it throw', () => {
  assert(
    property(string(), (text) => {
      const decoded = decodeCursor(text);
      return decoded === null || encodeCursor(decoded) === text;
    }),
  );
});
