// Writes that lost against one of a higher (epoch, version): seen, and settled by an operator.
import { Refusal } from './errors.ts';
import type { HomeStore } from './homes.ts';
import { entryId } from './orders/ids.ts';
import { lockOrder } from './orders/read.ts';
import type { Status } from './orders/order.ts';
import { writeOrder } from './orders/write.ts';
import { addEntry, email } from './outbox.ts';
import type { Transaction, Whose } from './transactions.ts';

/** `kept`: what won stays. `lost`: what lost is written back, as a new version. */
export type Settlement = 'kept' | 'lost';

type State = { item: string; quantity: number; status: Status; epoch: number; version: number };

export type Conflict = {
  home: string;
  tenant: string;
  orderId: string;
  epoch: number;
  /** The database that wrote what lost. */
  writer: string;
  version: number;
  lost: State;
  kept: State;
  foundAt: string;
};

type Row = {
  tenant: string;
  order_id: string;
  epoch: string;
  writer: string;
  version: string;
  lost: State;
  kept: State;
  found_at: Date;
};

/** At most `limit` conflicts of a database that are not settled yet, the oldest first. */
export async function openConflicts({ home, database }: HomeStore, limit: number): Promise<Conflict[]> {
  const rows = await database.query<Row>(
    `select tenant, order_id, epoch, writer, version, lost, kept, found_at from public.conflicts
     where settled_at is null order by found_at limit $1`,
    [limit],
  );
  return rows.map((row) => ({
    home,
    tenant: row.tenant,
    orderId: row.order_id,
    epoch: Number(row.epoch),
    writer: row.writer,
    version: Number(row.version),
    lost: row.lost,
    kept: row.kept,
    foundAt: row.found_at.toISOString(),
  }));
}

/** How many there are. */
export async function countConflicts({ database }: HomeStore): Promise<number> {
  const [row] = await database.query<{ open: number }>(
    'select count(*)::integer as open from public.conflicts where settled_at is null',
    [],
  );
  return row?.open ?? 0;
}

/**
 * Settles the conflict of an order with what `writer` wrote in `epoch`, in the tenant's transaction. The same again changes nothing; throws
 * `Refusal` for an unknown one and for one that was settled otherwise.
 */
export async function settleConflict(
  tx: Transaction,
  whose: Whose,
  {
    orderId,
    epoch,
    writer,
    settlement,
  }: { orderId: string; epoch: number; writer: string; settlement: Settlement },
): Promise<void> {
  const [found] = await tx.query<{ lost: State; settlement: Settlement | null }>(
    `select lost, settlement from public.conflicts
     where tenant = $1 and order_id = $2 and epoch = $3 and writer = $4 for update`,
    [whose.tenant, orderId, epoch, writer],
  );
  if (found === undefined) throw new Refusal('not-found', 'there is no such conflict');
  if (found.settlement === settlement) return;
  if (found.settlement !== null)
    throw new Refusal('conflict-settled', `the conflict was settled before: ${found.settlement}`);
  if (settlement === 'lost') await writeBack(tx, whose, orderId, found.lost);
  await tx.query(
    `update public.conflicts set settled_at = clock_timestamp(), settlement = $5
     where tenant = $1 and order_id = $2 and epoch = $3 and writer = $4`,
    [whose.tenant, orderId, epoch, writer, settlement],
  );
}

async function writeBack(tx: Transaction, whose: Whose, id: string, lost: State): Promise<void> {
  if ((await lockOrder(tx, whose.tenant, id)) === null)
    throw new Refusal('not-found', 'the order of that conflict is not there');
  const { state, order } = await writeOrder(tx, whose, id, lost);
  // An order that is only placed again needs its confirmation again.
  const entry =
    order.status === 'placed'
      ? ({ id: entryId({ id, ...state }, 'confirm'), orderId: id, kind: 'confirm', payload: {} } as const)
      : email(entryId({ id, ...state }, 'email'), whose, id, 'was put back as it was');
  await addEntry(tx, whose, entry);
}
