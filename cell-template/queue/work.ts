// What each kind of outbox entry is to do. Add a kind here, one release before the one that writes it.
import { uuidV5 } from '../orders/ids.ts';
import { lockOrder } from '../orders/read.ts';
import { writeOrder } from '../orders/write.ts';
import { addEntry, email } from '../outbox.ts';
import type { Transaction, Whose } from '../transactions.ts';

export type OutboxRow = { id: string; order_id: string; kind: string; payload: Record<string, unknown> };

/** Does the work of `entry` in the transaction `tx` and answers what its effect row is to tell. Throws for an unknown kind. */
export async function carryOut(
  tx: Transaction,
  whose: Whose,
  entry: OutboxRow,
): Promise<Record<string, unknown>> {
  switch (entry.kind) {
    case 'confirm':
      return confirm(tx, whose, entry);
    case 'email':
      // A real mailer is called here; its effect is at-least-once: the transaction may fail after it.
      return { to: entry.payload['to'], subject: entry.payload['subject'] };
    default:
      throw new Error(`this release knows no later work of the kind ${entry.kind}`);
  }
}

async function confirm(tx: Transaction, whose: Whose, entry: OutboxRow): Promise<Record<string, unknown>> {
  const found = await lockOrder(tx, whose.tenant, entry.order_id);
  if (found?.order.status !== 'placed') return { confirmed: false, status: found?.order.status ?? null };
  const { state } = await writeOrder(tx, whose, entry.order_id, { ...found.order, status: 'confirmed' });
  // Named by the entry that it follows: confirmed on both sides, the order is told of once.
  await addEntry(tx, whose, email(uuidV5(entry.id, 'email'), whose, entry.order_id, 'was confirmed'));
  return { confirmed: true, version: state.version };
}
