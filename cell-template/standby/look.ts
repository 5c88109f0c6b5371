// What both ends of a subscription say of it.
import type { Published, Subscribed } from './link-step.ts';
import type { Partner } from './partner.ts';

type SubscribedRow = {
  enabled: boolean;
  slot: string | null;
  connection: string;
  commit: string;
  relations: string[] | null;
  errors: string | null;
  running: boolean;
  applied: string | null;
};

const SUBSCRIBED = `
  select s.subenabled as enabled, s.subslotname::text as slot, s.subconninfo as connection,
    s.subsynccommit as commit,
    (select array_agg(srsubstate::text) from pg_subscription_rel where srsubid = s.oid) as relations,
    (select (apply_error_count + sync_error_count)::text from pg_stat_subscription_stats where subid = s.oid) as errors,
    exists (select from pg_stat_subscription where subid = s.oid and worker_type = 'apply' and pid is not null) as running,
    (pg_replication_origin_progress('pg_' || s.oid, false) - '0/0')::text as applied
  from pg_subscription s join pg_database d on d.oid = s.subdbid
  where d.datname = current_database() and s.subname = $1`;

/** Null: there is no such subscription. */
export async function lookHere(here: Partner, subscription: string): Promise<Subscribed | null> {
  const [row] = await here.ask<SubscribedRow>(SUBSCRIBED, [subscription]);
  if (row === undefined) return null;
  return {
    enabled: row.enabled,
    slotName: row.slot,
    connection: row.connection,
    synchronousCommit: row.commit,
    relations: row.relations ?? [],
    errors: Number(row.errors ?? 0),
    running: row.running,
    applied: BigInt(row.applied ?? 0),
  };
}

const PUBLISHED = `
  select (select system_identifier::text from pg_control_system()) as system,
    (pg_current_wal_insert_lsn() - '0/0')::text as lsn,
    (select count(*)::int from pg_publication_tables where pubname = 'cellgate') as tables,
    (select (confirmed_flush_lsn - '0/0')::text from pg_replication_slots
      where slot_name = $1 and database = current_database()) as confirmed,
    (select case when invalidation_reason is null then wal_status else 'lost' end from pg_replication_slots
      where slot_name = $1 and database = current_database()) as status`;

/** Throws when the publisher does not answer. */
export async function lookThere(there: Partner, slot: string): Promise<Published> {
  const [row] = await there.ask<{
    system: string;
    lsn: string;
    tables: number;
    confirmed: string | null;
    status: string | null;
  }>(PUBLISHED, [slot]);
  if (row === undefined) throw new Error('no answer');
  return {
    system: row.system,
    lsn: BigInt(row.lsn),
    tables: row.tables,
    confirmed: row.confirmed === null ? null : BigInt(row.confirmed),
    walStatus: row.status,
  };
}

/** The system identifier of a server: a data folder that was made anew has another one. */
export async function systemOf(server: Partner): Promise<string> {
  const [row] = await server.ask<{ id: string }>(
    'select system_identifier::text as id from pg_control_system()',
  );
  if (row === undefined) throw new Error('no answer');
  return row.id;
}
