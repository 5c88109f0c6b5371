// Writes of the tenant's orders: each in one transaction with its outbox entry, under the rule it was let in by.
import { Refusal } from '../errors.ts';
import { addEntry, email } from '../outbox.ts';
import type { Transaction, Whose } from '../transactions.ts';
import { matches, type Wanted } from './etag.ts';
import { creationEntryId, digestOf, entryId, orderId } from './ids.ts';
import { fromRow, ORDER_COLUMNS, type OrderRow, type Status, type Stored, type Wish } from './order.ts';
import { lockOrder } from './read.ts';

/**
 * Places an order. The same `key` again answers the order as it is now, `replayed`; with another wish it throws
 * `Refusal` `idempotency-key-reused`. Two at once with one key place one order.
 */
export async function placeOrder(
  tx: Transaction,
  whose: Whose,
  wish: Wish,
  key: string | null,
): Promise<Stored & { replayed: boolean }> {
  const id = orderId(whose.tenant, key);
  const digest = key === null ? null : digestOf(wish);
  const [row] = await tx.query<OrderRow>(
    `insert into public.orders (tenant, id, item, quantity, epoch, request_digest)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning ${ORDER_COLUMNS}`,
    [whose.tenant, id, wish.item, wish.quantity, whose.epoch, digest],
  );
  if (row === undefined) return { ...(await placedBefore(tx, whose.tenant, id, digest)), replayed: true };
  const entry = { id: creationEntryId(id, 'confirm'), orderId: id, kind: 'confirm', payload: wish } as const;
  await addEntry(tx, whose, entry);
  return { ...fromRow(row), replayed: false };
}

async function placedBefore(
  tx: Transaction,
  tenant: string,
  id: string,
  digest: string | null,
): Promise<Stored> {
  // Locked, not only read: a commit that wrote nothing would not wait for the standby, and the order may not be there yet.
  const [row] = await tx.query<OrderRow & { request_digest: string | null }>(
    `select ${ORDER_COLUMNS}, request_digest from public.orders where tenant = $1 and id = $2 for share`,
    [tenant, id],
  );
  if (row === undefined) throw new Error('the order is neither new nor there');
  if (row.request_digest !== digest)
    throw new Refusal(
      'idempotency-key-reused',
      'this Idempotency-Key came with another body before; take a new one',
    );
  return fromRow(row);
}

/** Changes the order `id` that is in a state of `wanted`. Throws `Refusal` where it is not, is cancelled, or not there. */
export async function changeOrder(
  tx: Transaction,
  whose: Whose,
  id: string,
  { wish, wanted }: { wish: Partial<Wish>; wanted: Wanted },
): Promise<Stored> {
  const { order } = await expectOrder(tx, whose.tenant, id, wanted);
  if (order.status === 'cancelled')
    throw new Refusal('order-cancelled', 'a cancelled order is not changed any more');
  const written = await writeOrder(tx, whose, id, { ...order, ...wish });
  await addEntry(tx, whose, email(entryId({ id, ...written.state }, 'email'), whose, id, 'was changed'));
  return written;
}

/** Cancels the order `id`; one that is cancelled stays as it is. Throws `Refusal` where it is not there or not in a state of `wanted`. */
export async function cancelOrder(
  tx: Transaction,
  whose: Whose,
  id: string,
  wanted: Wanted,
): Promise<Stored & { changed: boolean }> {
  const found = await expectOrder(tx, whose.tenant, id, wanted);
  if (found.order.status === 'cancelled') return { ...found, changed: false };
  const written = await writeOrder(tx, whose, id, { ...found.order, status: 'cancelled' });
  await addEntry(tx, whose, email(entryId({ id, ...written.state }, 'email'), whose, id, 'was cancelled'));
  return { ...written, changed: true };
}

/** Writes a new version of the order `id`, which the transaction has locked. */
export async function writeOrder(
  tx: Transaction,
  whose: Whose,
  id: string,
  { item, quantity, status }: Wish & { status: Status },
): Promise<Stored> {
  const [row] = await tx.query<OrderRow>(
    `update public.orders set item = $3, quantity = $4, status = $5, epoch = $6
     where tenant = $1 and id = $2 returning ${ORDER_COLUMNS}`,
    [whose.tenant, id, item, quantity, status, whose.epoch],
  );
  if (row === undefined) throw new Error('the locked order is gone');
  return fromRow(row);
}

async function expectOrder(tx: Transaction, tenant: string, id: string, wanted: Wanted): Promise<Stored> {
  const found = await lockOrder(tx, tenant, id);
  if (found === null) throw new Refusal('not-found', 'this tenant has no such order');
  if (!matches(wanted, found.state))
    throw new Refusal('precondition-failed', 'the order was changed since; read it again');
  return found;
}
