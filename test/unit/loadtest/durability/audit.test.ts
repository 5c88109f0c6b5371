// The audit: which acknowledged writes it calls lost, doubled or in conflict.
import { expect, test } from 'vitest';
import {
  auditRows,
  differencesOf,
  uncoveredBy,
  unfinishedIn,
  type OrderRow,
  type Rows,
} from '../../../../loadtest/durability/audit.ts';
import type { Acknowledged, Entry } from '../../../../loadtest/durability/ledger.ts';

const ack = (epoch: number, version: number, change: Partial<Acknowledged> = {}): Acknowledged => ({
  epoch,
  version,
  quantity: version,
  cancelled: false,
  atMs: 0,
  base: null,
  ...change,
});

const order = (epoch: number, version: number, change: Partial<OrderRow> = {}): OrderRow => ({
  tenant: 't',
  id: 'id-1',
  item: 'item-1',
  quantity: version,
  status: 'placed',
  epoch,
  version,
  ...change,
});

function entry(acknowledged: Acknowledged[], change: Partial<Entry> = {}): Entry {
  const names = { tenant: 't', home: 'cell-a', key: 'key-1', item: 'item-1', id: 'id-1' };
  return { ...names, acknowledged, unclear: [], ...change };
}

const rows = (change: Partial<Rows>): Rows => ({
  orders: [],
  conflicts: [],
  outbox: [],
  effects: [],
  ...change,
});

const conflict = (lost: OrderRow) => ({ ...lost, order_id: lost.id, lost });

const lostIn = (one: Entry, found: Partial<Rows>): number[] =>
  auditRows([one], rows(found)).lost.map(({ write }) => write.version);

test('an order in the state last acknowledged is not lost, be it confirmed meanwhile', () => {
  const one = entry([ack(1, 1), ack(1, 2, { base: ack(1, 1) })]);
  expect(lostIn(one, { orders: [order(1, 2)] })).toEqual([]);
  expect(lostIn(one, { orders: [order(2, 3, { quantity: 2, status: 'confirmed' })] })).toEqual([]);
});

test('an acknowledged order without a row is lost, and so is one in an earlier state', () => {
  const one = entry([ack(1, 1), ack(1, 2, { base: ack(1, 1) })]);
  expect(lostIn(one, {})).toEqual([2]);
  expect(lostIn(one, { orders: [order(1, 1)] })).toEqual([2]);
});

test('a cancelled order that is live again is lost', () => {
  const one = entry([ack(1, 1), ack(1, 2, { quantity: 1, cancelled: true })]);
  expect(lostIn(one, { orders: [order(1, 2, { quantity: 1, status: 'cancelled' })] })).toEqual([]);
  expect(lostIn(one, { orders: [order(1, 3, { quantity: 1, status: 'confirmed' })] })).toEqual([2]);
});

test('a write that was given up without a clear answer may have happened', () => {
  const one = entry([ack(1, 1)], { unclear: [{ quantity: 9, cancelled: false }] });
  expect(lostIn(one, { orders: [order(1, 2, { quantity: 9 })] })).toEqual([]);
  expect(lostIn(one, { orders: [order(1, 2, { quantity: 8 })] })).toEqual([1]);
});

test('nothing is claimed of an order that was never acknowledged', () => {
  expect(lostIn(entry([], { id: null }), {})).toEqual([]);
});

test('a write that the next writer had not seen is lost unless it is listed as a conflict', () => {
  // Version 2 of epoch 1 was not there yet when version 2 of epoch 2 was written.
  const one = entry([ack(1, 1), ack(1, 2, { base: ack(1, 1) }), ack(2, 2, { quantity: 7, base: ack(1, 1) })]);
  const orders = [order(2, 2, { quantity: 7 })];
  expect(lostIn(one, { orders })).toEqual([2]);
  const listed = auditRows([one], rows({ orders, conflicts: [conflict(order(1, 2))] }));
  expect([listed.lost, listed.conflicts]).toEqual([[], 1]);
});

test('of a branch the last state is listed: it stands for those before it', () => {
  const branch = [ack(1, 2, { base: ack(1, 1) }), ack(1, 3, { base: ack(1, 2) })];
  const one = entry([ack(1, 1), ...branch, ack(2, 2, { quantity: 7, base: ack(1, 1) })]);
  const orders = [order(2, 2, { quantity: 7 })];
  expect(auditRows([one], rows({ orders, conflicts: [conflict(order(1, 3))] }))).toMatchObject({
    lost: [],
    conflicts: 1,
  });
  expect(lostIn(one, { orders, conflicts: [conflict(order(1, 1))] })).toEqual([3]);
});

test('an order that exists twice is doubled, and so is an effect', () => {
  const one = entry([ack(1, 1)]);
  const effect = { outbox_id: 'o', tenant: 't', order_id: 'id-1', kind: 'confirm' };
  expect(
    auditRows([one], rows({ orders: [order(1, 1), order(1, 1, { id: 'id-2' })], effects: [effect, effect] }))
      .doubled,
  ).toEqual(['item-1 exists 2 times', '2 effects of o']);
});

test('outbox entries without an effect are unfinished', () => {
  const outbox = ['o-1', 'o-2'].map((id) => ({ id, tenant: 't', order_id: 'id-1', kind: 'confirm' }));
  const effects = [{ outbox_id: 'o-2', tenant: 't', order_id: 'id-1', kind: 'confirm' }];
  expect(unfinishedIn(rows({ outbox, effects })).map(({ id }) => id)).toEqual(['o-1']);
});

test('copies are equal whatever the order of their rows, and what only one has is told', () => {
  const [first, second] = [order(1, 1), order(1, 1, { id: 'id-2' })];
  expect(differencesOf(rows({ orders: [first, second] }), rows({ orders: [second, first] }))).toEqual([]);
  expect(differencesOf(rows({ orders: [first] }), rows({ orders: [order(2, 1)] }))).toEqual([
    expect.stringMatching(/^orders: only the home has .*"epoch":1/),
    expect.stringMatching(/^orders: only the standby has .*"epoch":2/),
  ]);
});

test('a lag covers what was acknowledged before it, and no more than the look was old', () => {
  const writes = [1_000, 3_400, 3_600, 5_400, 5_600].map((atMs) => ack(1, 1, { atMs }));
  const times = (of: Acknowledged[]): number[] => of.map(({ atMs }) => atMs);
  const death = { atMs: 5_000, lag: { seconds: 0, atMs: 4_000 } };
  expect(times(uncoveredBy(death, writes))).toEqual([3_600, 5_400]);
  expect(times(uncoveredBy({ ...death, lag: { seconds: 3, atMs: 4_000 } }, writes))).toEqual([
    1_000, 3_400, 3_600, 5_400,
  ]);
});

test('where no lag was shown nothing is covered', () => {
  const writes = [ack(1, 1, { atMs: 10 })];
  for (const lag of [null, { seconds: null, atMs: 4_000 }]) {
    expect(uncoveredBy({ atMs: 5_000, lag }, writes)).toEqual(writes);
  }
});
