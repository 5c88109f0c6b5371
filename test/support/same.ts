// What tests compare millions of times: a library's assertion is built only where one fails.
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';

/** Fails, with the difference, unless both are deeply equal. */
export function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toStrictEqual(expected);
}

/** Fails unless one of them is the same value. */
export function expectOneOf(actual: unknown, expected: readonly unknown[]): void {
  if (!expected.includes(actual)) expect(expected).toContain(actual);
}
