// Reads of the tenant's orders. Each names the tenant, and row-level security would hide the others' rows anyway.
import type { Transaction } from '../transactions.ts';
import { encodeCursor, type Cursor } from './cursor.ts';
import { fromRow, ORDER_COLUMNS, type Order, type OrderRow, type Stored } from './order.ts';

export type Page = { orders: Order[]; next: string | null };

/** At most `limit` orders of `tenant`, newest first, those after `after`; `next` leads to the rest, null where there is none. */
export async function listOrders(
  tx: Transaction,
  tenant: string,
  { limit, after }: { limit: number; after: Cursor | null },
): Promise<Page> {
  const rows = await tx.query<OrderRow & { micros: string }>(
    `select ${ORDER_COLUMNS}, (extract(epoch from created_at) * 1000000)::bigint::text as micros
     from public.orders
     where tenant = $1 ${after === null ? '' : `and (created_at, id) < ('epoch'::timestamptz + $3::bigint * interval '1 microsecond', $4::uuid)`}
     order by created_at desc, id desc limit $2`,
    [tenant, limit + 1, ...(after === null ? [] : [after.createdAtMicros, after.id])],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    orders: page.map((row) => fromRow(row).order),
    next: more ? encodeCursor({ createdAtMicros: last.micros, id: last.id }) : null,
  };
}

/** The order `id` (a UUID) of `tenant`; null when this tenant has none of that ID, whoever else may. */
export async function findOrder(tx: Transaction, tenant: string, id: string): Promise<Stored | null> {
  const [row] = await tx.query<OrderRow>(
    `select ${ORDER_COLUMNS} from public.orders where tenant = $1 and id = $2`,
    [tenant, id],
  );
  return row === undefined ? null : fromRow(row);
}

/** The same, locked against other writes until the transaction ends. */
export async function lockOrder(tx: Transaction, tenant: string, id: string): Promise<Stored | null> {
  const [row] = await tx.query<OrderRow>(
    `select ${ORDER_COLUMNS} from public.orders where tenant = $1 and id = $2 for update`,
    [tenant, id],
  );
  return row === undefined ? null : fromRow(row);
}
