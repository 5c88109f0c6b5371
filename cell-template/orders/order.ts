// An order as the database holds it and as clients see it.
import type { State } from './etag.ts';

export type Status = 'placed' | 'confirmed' | 'cancelled';

/** What a client says of an order. */
export type Wish = { item: string; quantity: number };

/** An order as clients see it; times are ISO 8601 UTC. */
export type Order = Wish & { id: string; status: Status; createdAt: string; updatedAt: string };

/** An order with what only its ETag tells of it. */
export type Stored = { order: Order; state: State };

export type OrderRow = {
  id: string;
  item: string;
  quantity: number;
  status: Status;
  created_at: Date;
  updated_at: Date;
  epoch: string;
  version: string;
};

/** The columns of `OrderRow`. */
export const ORDER_COLUMNS = 'id, item, quantity, status, created_at, updated_at, epoch, version';

export function fromRow(row: OrderRow): Stored {
  const { id, item, quantity, status } = row;
  return {
    order: {
      id,
      item,
      quantity,
      status,
      createdAt: row.created_at.toISOString(),
      updatedAt: row.updated_at.toISOString(),
    },
    state: { epoch: Number(row.epoch), version: Number(row.version) },
  };
}
