// The outbox: later work, written in the transaction of the write that it belongs to.
import type { Transaction, Whose } from './transactions.ts';

/** `confirm` makes a placed order a confirmed one; `email` is only recorded. */
export type Kind = 'confirm' | 'email';

/** `id`: named by what the entry stands for, so that the same write sent again next door gives the same entry. */
export type Entry = { id: string; orderId: string; kind: Kind; payload: Record<string, unknown> };

/** What an `email` entry says; `to` is the tenant, whose address only a real mailer would know. */
export type Email = { to: string; subject: string };

export async function addEntry(tx: Transaction, whose: Whose, entry: Entry): Promise<void> {
  await tx.query(
    `insert into public.outbox (id, tenant, order_id, kind, payload, epoch) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing`,
    [entry.id, whose.tenant, entry.orderId, entry.kind, JSON.stringify(entry.payload), whose.epoch],
  );
}

/** The entry of an e-mail about the order `orderId`. */
export function email(id: string, whose: Whose, orderId: string, what: string): Entry {
  const payload: Email = { to: whose.tenant, subject: `order ${orderId} ${what}` };
  return { id, orderId, kind: 'email', payload };
}
