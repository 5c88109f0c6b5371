// How much later work a database holds: for the metrics.
import type { Database } from '../database.ts';
import type { HomeStore } from '../homes.ts';
import { pendingTenants } from './relay.ts';

/** `lagSeconds`: how long the oldest entry that this cell is to relay has waited; 0 without any. */
export type Depth = { pending: number; jobs: number; dead: number; lagSeconds: number };

/** Whether a queue was ever started in that database: a standby's may not have been. */
export async function hasQueue(database: Database): Promise<boolean> {
  const [row] = await database.query<{ there: boolean }>(
    `select to_regclass('graphile_worker.jobs') is not null as there`,
    [],
  );
  return row?.there ?? false;
}

/** Counts the entries of tenants that are this cell's own by `isOwn`, and the jobs of the queue. */
export async function depthOf(
  { home, database }: HomeStore,
  isOwn: (home: string, tenant: string) => boolean,
): Promise<Depth> {
  const tenants = await pendingTenants((text) => database.query<{ tenant: string }>(text, []));
  const own = tenants.filter((tenant) => isOwn(home, tenant));
  const [waiting] = await database.query<{ pending: number; lag: number | null }>(
    `select count(*)::integer as pending,
            greatest(0, extract(epoch from clock_timestamp() - min(entry.created_at)))::float8 as lag
     from public.pending join public.outbox as entry on entry.id = pending.outbox_id
     where pending.tenant = any($1)`,
    [own],
  );
  const jobs = await countJobs(database);
  return { pending: waiting?.pending ?? 0, lagSeconds: waiting?.lag ?? 0, ...jobs };
}

async function countJobs(database: Database): Promise<{ jobs: number; dead: number }> {
  if (!(await hasQueue(database))) return { jobs: 0, dead: 0 };
  const [row] = await database.query<{ jobs: number; dead: number }>(
    `select (count(*) filter (where attempts < max_attempts or locked_at is not null))::integer as jobs,
            (count(*) filter (where attempts >= max_attempts and locked_at is null))::integer as dead
     from graphile_worker.jobs`,
    [],
  );
  return row ?? { jobs: 0, dead: 0 };
}
