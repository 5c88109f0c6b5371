// When a subscription counts as broken, by what PostgreSQL counts and how far it has got.
import { expect, test } from 'vitest';
import { Failures } from '../../../../cell-template/standby/failures.ts';

function after(looks: readonly [counted: number, applied: bigint, nowMs: number][]): boolean {
  const failures = new Failures();
  for (const look of looks) failures.look(...look);
  return failures.last;
}

test('failures from before the first look say nothing', () => {
  expect(after([[7, 10n, 0]])).toBe(false);
});

test('one failure may be a lost connection', () => {
  expect(
    after([
      [0, 10n, 0],
      [1, 10n, 500],
    ]),
  ).toBe(false);
});

test('two in a row that got no further are broken', () => {
  expect(
    after([
      [0, 10n, 0],
      [1, 10n, 500],
      [2, 10n, 1_500],
    ]),
  ).toBe(true);
});

test('several between two looks are broken', () => {
  expect(
    after([
      [0, 10n, 0],
      [5, 10n, 500],
    ]),
  ).toBe(true);
});

test('a connection that is lost now and then, with rows applied between, is not', () => {
  expect(
    after([
      [0, 10n, 0],
      [1, 10n, 500],
      [1, 20n, 1_000],
      [2, 20n, 1_500],
    ]),
  ).toBe(false);
});

test('a broken one that gets further is well again', () => {
  expect(
    after([
      [0, 10n, 0],
      [2, 10n, 500],
      [2, 11n, 1_000],
    ]),
  ).toBe(false);
});

test('one that has not failed for long is well again', () => {
  expect(
    after([
      [0, 10n, 0],
      [2, 10n, 500],
      [2, 10n, 13_000],
    ]),
  ).toBe(false);
});

test('counts that begin anew are no failures', () => {
  expect(
    after([
      [9, 10n, 0],
      [0, 10n, 500],
    ]),
  ).toBe(false);
});

test('one that was broken before a restart still is until it gets further', () => {
  const failures = new Failures();
  failures.recall(0);
  failures.look(3, 10n, 100);
  expect(failures.last).toBe(true);
  failures.look(3, 11n, 600);
  expect(failures.last).toBe(false);
});
