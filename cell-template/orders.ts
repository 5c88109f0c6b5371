// Every statement on the tenants' rows. Each takes the tenant first and names it: no query crosses tenants.
import { randomUUID } from 'node:crypto';
import type { Database } from './database.ts';

const LIST_LIMIT = 100;

/** An order as clients see it; `createdAt` is ISO 8601 UTC. */
export type Order = { id: string; item: string; quantity: number; createdAt: string };

type Row = { id: string; item: string; quantity: number; created_at: Date };

/** Places an order of `tenant` and answers it. */
export async function placeOrder(
  tenant: string,
  { item, quantity }: Pick<Order, 'item' | 'quantity'>,
  database: Database,
): Promise<Order> {
  const [row] = await database.query<Row>(
    `insert into orders (tenant, id, item, quantity) values ($1, $2, $3, $4)
     returning id, item, quantity, created_at`,
    [tenant, randomUUID(), item, quantity],
  );
  if (row === undefined) throw new Error('insert returned no row');
  return toOrder(row);
}

/** The newest 100 orders of `tenant`, newest first. */
export async function listOrders(tenant: string, database: Database): Promise<Order[]> {
  const rows = await database.query<Row>(
    `select id, item, quantity, created_at from orders where tenant = $1
     order by created_at desc, id desc limit $2`,
    [tenant, LIST_LIMIT],
  );
  return rows.map(toOrder);
}

/** The order `id` (a UUID) of `tenant`; null when this tenant has none of that ID, whoever else may. */
export async function findOrder(tenant: string, id: string, database: Database): Promise<Order | null> {
  const [row] = await database.query<Row>(
    'select id, item, quantity, created_at from orders where tenant = $1 and id = $2',
    [tenant, id],
  );
  return row === undefined ? null : toOrder(row);
}

function toOrder({ id, item, quantity, created_at }: Row): Order {
  return { id, item, quantity, createdAt: created_at.toISOString() };
}
