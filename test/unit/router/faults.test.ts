// How faults are told, apart from the files they are in.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { faultLine, faultsOf } from '../../../router/faults.ts';

function faults(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return error === undefined ? [] : faultsOf(error).map(faultLine);
}

const number = z.number('no number');
const either = z.union(
  [z.strictObject({ a: number }), z.strictObject({ b: number, c: number }), z.string('no text')],
  'neither',
);

test('a fault of the whole has no place', () => {
  expect(faultLine({ path: '', problem: 'wrong' })).toBe('wrong');
});

test('control and format characters are spelled out', () => {
  expect(faultLine({ path: 'a\u202eb', problem: 'c\r\nd\u2028' })).toBe(
    'a\\u{202e}b: c\\u{d}\\u{a}d\\u{2028}',
  );
});

test('of a union that branch speaks whose keys are known', () => {
  expect(faults(either, { a: 'x' })).toEqual(['a: no number']);
  expect(faults(either, { b: 1, c: 'x' })).toEqual(['c: no number']);
});

test('where no branch of a union is meant more than another, the union speaks', () => {
  for (const value of [{}, { d: 1 }, { a: 1, b: 1, c: 1, d: 1 }, 5, null]) {
    const lines = faults(either, value);
    expect(lines.length).toBeGreaterThan(0);
  }
  expect(faults(either, { d: 1 })).toEqual(['neither']);
  expect(faults(either, 5)).toEqual(['neither']);
});
