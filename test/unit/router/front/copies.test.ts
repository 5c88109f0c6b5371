// Copies of what is lent: right while they are needed, and used again afterwards.
import { expect, test } from 'vitest';
import { copyOf } from '../../../../router/front/copies.ts';

test('a copy stays what it was, whatever becomes of what was lent', () => {
  const lent = Buffer.from('lent');
  const { bytes } = copyOf(lent);
  lent.fill(0);
  expect(bytes.toString()).toBe('lent');
});

test('a buffer is used again once its copy is written, and not before', () => {
  const first = copyOf(Buffer.from('first'));
  const second = copyOf(Buffer.from('second'));
  expect([first.bytes.toString(), second.bytes.buffer === first.bytes.buffer]).toEqual(['first', false]);
  first.done();
  expect(copyOf(Buffer.from('third')).bytes.buffer === first.bytes.buffer).toBe(true);
  expect(second.bytes.toString()).toBe('second');
});

test('the buffer of a copy that could not be written is nobody’s', () => {
  const failed = copyOf(Buffer.from('failed'));
  failed.done(new Error('reset'));
  expect(copyOf(Buffer.from('next')).bytes.buffer === failed.bytes.buffer).toBe(false);
});

test('what is longer than any read is copied whole', () => {
  const long = Buffer.alloc(200_000, 7);
  expect(copyOf(long).bytes.equals(long)).toBe(true);
});
