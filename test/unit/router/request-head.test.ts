// What the decisions read from a request's head.
import { expect, test } from 'vitest';
import { clientAddress, headerOf, listOf } from '../../../router/request-head.ts';
import { headOf } from './heads.ts';

const FORWARDED = (...values: string[]) => ({
  headers: values.map((value): [string, string] => ['X-Forwarded-For', value]),
  fromTrustedProxy: true,
});

test('the first header of a name is found, whatever its case', () => {
  const head = headOf({
    headers: [
      ['Accept', 'a'],
      ['ACCEPT', 'b'],
    ],
  });
  expect([headerOf(head, 'accept'), headerOf(head, 'accep')]).toEqual(['a', null]);
});

test('an empty header is not an absent one', () => {
  expect(headerOf(headOf({ headers: [['accept', '']] }), 'accept')).toBe('');
});

test('headers of one name are one list', () => {
  const head = headOf({
    headers: [
      ['Via', 'a, b'],
      ['x', 'y'],
      ['via', 'c'],
    ],
  });
  expect([listOf(head, 'via'), listOf(head, 'te')]).toEqual(['a, b, c', null]);
});

test('the client is the peer', () => {
  expect(clientAddress({ ...headOf(FORWARDED('203.0.113.1')), fromTrustedProxy: false })).toBe('192.0.2.7');
});

test('behind a trusted proxy the client is the last one that it names', () => {
  expect(clientAddress(headOf(FORWARDED('198.51.100.1, 203.0.113.1 ')))).toBe('203.0.113.1');
});

test('a line that the proxy added below the client’s own is the one that counts', () => {
  expect(clientAddress(headOf(FORWARDED('198.51.100.1', '203.0.113.1')))).toBe('203.0.113.1');
});

test('a trusted proxy that names nobody is the client itself', () => {
  for (const head of [FORWARDED(), FORWARDED(''), FORWARDED('203.0.113.1,')]) {
    expect(clientAddress(headOf(head))).toBe('192.0.2.7');
  }
});
