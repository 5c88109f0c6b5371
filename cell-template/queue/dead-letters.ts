// Jobs that have failed as often as they may: seen, and tried again when the operator has removed the cause.
import type { HomeStore } from '../homes.ts';
import { hasQueue } from './depth.ts';

/** `id`: of the outbox entry. `diedAt` is ISO 8601 UTC. */
export type DeadLetter = {
  id: string;
  home: string;
  tenant: string;
  orderId: string;
  kind: string;
  attempts: number;
  error: string | null;
  createdAt: string;
  diedAt: string;
};

type Row = {
  id: string;
  tenant: string;
  order_id: string;
  kind: string;
  attempts: number;
  last_error: string | null;
  created_at: Date;
  updated_at: Date;
};

/** Dead: its last attempt has failed, and nobody is at it. */
const DEAD = 'jobs.attempts >= jobs.max_attempts and jobs.locked_at is null';

/** At most `limit` dead letters of one database, the oldest first. */
export async function deadLetters({ home, database }: HomeStore, limit: number): Promise<DeadLetter[]> {
  if (!(await hasQueue(database))) return [];
  const rows = await database.query<Row>(
    `select entry.id, entry.tenant, entry.order_id, entry.kind, jobs.attempts, jobs.last_error,
            entry.created_at, jobs.updated_at
     from graphile_worker.jobs as jobs join public.outbox as entry on entry.id = jobs.key::uuid
     where ${DEAD} order by jobs.updated_at, jobs.id limit $1`,
    [limit],
  );
  return rows.map(({ order_id, last_error, created_at, updated_at, ...row }) => ({
    ...row,
    home,
    orderId: order_id,
    error: last_error,
    createdAt: created_at.toISOString(),
    diedAt: updated_at.toISOString(),
  }));
}

/** Gives a dead letter all its attempts again, from now. Answers whether there is such a one. */
export async function retryDeadLetter({ database }: HomeStore, id: string): Promise<boolean> {
  if (!(await hasQueue(database))) return false;
  const rows = await database.query(
    `select from graphile_worker.reschedule_jobs(
       array(select jobs.id from graphile_worker.jobs as jobs where jobs.key = $1 and ${DEAD}),
       run_at := now(), attempts := 0)`,
    [id.toLowerCase()],
  );
  return rows.length > 0;
}
