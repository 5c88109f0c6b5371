// One job: carries out one outbox entry, once as far as the database can tell, and only for a tenant of this cell's own.
import { z } from 'zod';
import type { Contract } from '../contract/contract.ts';
import { Refusal } from '../errors.ts';
import type { HomeStore } from '../homes.ts';
import { NewerRule } from '../newer-rule.ts';
import type { Transaction, Whose } from '../transactions.ts';
import { carryOut, type OutboxRow } from './work.ts';

/** The one task of the queue. Were there one for each kind, an older release would leave unknown ones lying, unseen. */
export const TASK = 'outbox';

const payload = z.object({ outboxId: z.uuid(), tenant: z.string() });
type Job = z.infer<typeof payload>;

export type JobParts = {
  cellId: string;
  store: HomeStore;
  contract: Contract;
  /** Told what kind of entry was carried out. */
  onDone(kind: string): void;
};

/**
 * Carries out the entry that the job of `raw` stands for. What can not be done now (the tenant is another cell's by now,
 * the database or the standby does not answer) goes back to where the relay finds it and costs no attempt; what this
 * throws does.
 */
export async function runJob(raw: unknown, parts: JobParts): Promise<void> {
  const job = payload.parse(raw);
  const { home, database } = parts.store;
  const epoch = parts.contract.epochOf(home);
  const done = parts.contract.begin(home, job.tenant);
  if (done === null) return putBack(job, parts);
  try {
    const whose = { tenant: job.tenant, home, epoch };
    const kind = await database.inTenantLater(whose, (tx) => once(tx, whose, job, parts.cellId));
    if (kind !== null) parts.onDone(kind);
  } catch (error) {
    if (error instanceof NewerRule) error.tell(parts.contract);
    if (!isNotNow(error)) throw error;
    await putBack(job, parts);
  } finally {
    done();
  }
}

/** Answers the entry's kind; null where its effect is there already. */
async function once(tx: Transaction, whose: Whose, job: Job, cell: string): Promise<string | null> {
  const [entry] = await tx.query<OutboxRow & { done: boolean }>(
    `select id, order_id, kind, payload, exists (select from public.effects where outbox_id = id) as done
     from public.outbox where id = $1`,
    [job.outboxId],
  );
  if (entry === undefined) throw new Error('the outbox entry is not there');
  if (entry.done) return null;
  const details = await carryOut(tx, whose, entry);
  await tx.query(
    `insert into public.effects (outbox_id, tenant, order_id, kind, details, cell)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [entry.id, whose.tenant, entry.order_id, entry.kind, JSON.stringify(details), cell],
  );
  return entry.kind;
}

function isNotNow(error: unknown): boolean {
  return error instanceof NewerRule || (error instanceof Refusal && error.code === 'database-unavailable');
}

async function putBack({ outboxId, tenant }: Job, { store }: JobParts): Promise<void> {
  await store.database.query(
    `insert into public.pending (outbox_id, tenant)
       select $1::uuid, $2::text where not exists (select from public.effects where outbox_id = $1::uuid)
     on conflict do nothing`,
    [outboxId, tenant],
  );
}
