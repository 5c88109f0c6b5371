// What a subscription needs next, by what both ends say.
import { expect, test } from 'vitest';
import {
  isCopied,
  nextStep,
  type Published,
  type Subscribed,
} from '../../../../cell-template/standby/link-step.ts';

const wanted = {
  subscriber: '1',
  slot: 'standby_a_1',
  connection: 'postgres://there',
  synchronousCommit: 'off',
};
const here: Subscribed = {
  applied: 90n,
  enabled: true,
  slotName: 'standby_a_1',
  connection: wanted.connection,
  synchronousCommit: 'off',
  relations: ['r', 'r'],
  errors: 0,
  running: true,
};
const there: Published = { system: '7', lsn: 100n, tables: 2, confirmed: 100n, walStatus: 'reserved' };

test('a publisher without tables is waited for', () => {
  expect(nextStep(null, { ...there, tables: 0 }, wanted)).toBe('none');
});

test('a subscription that is not there is created', () => {
  expect(nextStep(null, there, wanted)).toBe('create');
});

test('one that is well is left alone', () => {
  expect(nextStep(here, there, wanted)).toBe('none');
});

test('one whose slot is gone, or was given up, is made anew', () => {
  expect(nextStep(here, { ...there, walStatus: null }, wanted)).toBe('recreate');
  expect(nextStep(here, { ...there, walStatus: 'lost' }, wanted)).toBe('recreate');
});

test('one that has applied more than its publisher has written is made anew', () => {
  expect(nextStep({ ...here, applied: 101n }, there, wanted)).toBe('recreate');
});

test('one that reads from a slot of another name is made anew', () => {
  expect(nextStep(here, there, { ...wanted, slot: 'standby_a_2' })).toBe('recreate');
});

test('one that was half dropped is made anew', () => {
  expect(nextStep({ ...here, enabled: false }, there, wanted)).toBe('recreate');
  expect(nextStep({ ...here, slotName: null }, there, wanted)).toBe('recreate');
});

test('one that connects elsewhere, or commits otherwise, is configured', () => {
  expect(nextStep({ ...here, connection: 'postgres://old' }, there, wanted)).toBe('configure');
  expect(nextStep({ ...here, synchronousCommit: 'local' }, there, wanted)).toBe('configure');
});

test('one that lacks a table is refreshed', () => {
  expect(nextStep({ ...here, relations: ['r'] }, there, wanted)).toBe('refresh');
});

test('it is copied when each of its tables is, and there are some', () => {
  expect(isCopied(here)).toBe(true);
  expect(isCopied({ ...here, relations: ['r', 's'] })).toBe(true);
  expect(isCopied({ ...here, relations: ['r', 'd'] })).toBe(false);
  expect(isCopied({ ...here, relations: [] })).toBe(false);
  expect(isCopied(null)).toBe(false);
  expect(isCopied(here, 3)).toBe(false);
});
