// When one tenant has failed alone for so long that it is told of.
import { expect, test } from 'vitest';
import { LoneFailure } from '../../../../../router/health/cells/lone-failure.ts';

/** A look every second from `fromMs`; answers when somebody was told of. */
function looks(failure: LoneFailure, tenants: readonly (string | null)[], fromMs = 0): string[] {
  return tenants.flatMap((tenant, i) => {
    const told = failure.look(tenant, fromMs + i * 1_000);
    return told === null ? [] : [`${told} at ${fromMs + i * 1_000}`];
  });
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

test('one that fails alone is told of after ten seconds, and again after ten more', () => {
  expect(looks(new LoneFailure(), times(21, 'acme'))).toEqual(['acme at 10000', 'acme at 20000']);
});

test('looks that find nobody do not matter while they are few', () => {
  const tenants = [...times(5, 'acme'), null, null, null, ...times(5, 'acme')];
  expect(looks(new LoneFailure(), tenants)).toEqual(['acme at 10000']);
});

test('a pause begins anew', () => {
  const failure = new LoneFailure();
  looks(failure, times(9, 'acme'));
  expect(looks(failure, times(10, 'acme'), 13_001)).toEqual([]);
});

test('two in turn are not one alone', () => {
  expect(looks(new LoneFailure(), times(12, ['acme', 'bolt']).flat())).toEqual([]);
});
