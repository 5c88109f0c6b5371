// IDs of orders and outbox entries: the same in any cell for the same thing, and never the same for two.
import { expect, test } from 'vitest';
import {
  creationEntryId,
  digestOf,
  entryId,
  isUuid,
  orderId,
  uuidV5,
} from '../../../../cell-template/orders/ids.ts';

test('a UUIDv5 says its version and variant', () => {
  expect(uuidV5('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('the ID of a keyed order never changes between releases', () => {
  expect(orderId('acme', 'k1')).toBe('b4e2f6e9-f8dc-5d68-a566-b30737d847ff');
});

test('a tenant and a key are not taken for another pair that reads alike', () => {
  expect(orderId('ab', 'c')).not.toBe(orderId('a', 'bc'));
});

test('without a key each order has an ID of its own, a UUIDv7', () => {
  const first = orderId('acme', null);
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  expect(orderId('acme', null)).not.toBe(first);
});

test('the entry of a creation is named by the order alone, that of a later write by its epoch and version, too', () => {
  const id = orderId('acme', 'k1');
  expect(creationEntryId(id, 'confirm')).toBe(creationEntryId(id, 'confirm'));
  const names = [
    entryId({ id, epoch: 1, version: 2 }, 'email'),
    entryId({ id, epoch: 2, version: 2 }, 'email'),
    entryId({ id, epoch: 1, version: 3 }, 'email'),
    entryId({ id, epoch: 12, version: 2 }, 'email'),
    entryId({ id, epoch: 1, version: 22 }, 'email'),
    entryId({ id, epoch: 1, version: 2 }, 'confirm'),
  ];
  expect(new Set(names).size).toBe(names.length);
});

test('the digest of a request does not depend on the order of its members', () => {
  expect(digestOf({ item: 'tea', quantity: 1 })).toBe(digestOf({ quantity: 1, item: 'tea' }));
  expect(digestOf({ item: 'tea', quantity: 1 })).not.toBe(digestOf({ item: 'tea', quantity: 2 }));
});

test.each(['', 'x', '01a22cb2-2e3b-7600-8cfd-fa9b8a53d9f', "01a22cb2-2e3b-7600-8cfd-fa9b8a53d9f7'"])(
  '%j is no UUID',
  (text) => {
    expect(isUuid(text)).toBe(false);
  },
);
