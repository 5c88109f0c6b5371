// How far a database has written, and whether the other one of the pair has all of it: what a handover waits for.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../database.ts';

const POLL_MS = 10;

/**
 * `<system identifier>/<pg_lsn>` (`7501…/16/B374D848`), a WAL position beyond everything that `database` has committed so far, in
 * the history of its server. The beat that follows is a commit behind it: a subscriber that has applied the beat is past the position.
 */
export async function writtenUpTo(database: Database, cell: string): Promise<string> {
  const [row] = await database.query<{ position: string }>(
    `select system_identifier || '/' || pg_current_wal_insert_lsn() as position from pg_control_system()`,
    [],
  );
  if (row === undefined) throw new Error('no position');
  await database.query(
    `insert into public.beats (cell, beat) values ($1, 1)
     on conflict (cell) do update set beat = public.beats.beat + 1`,
    [cell],
  );
  return row.position;
}

/**
 * Resolves once what `subscription` ships into `database` is complete up to `position`, on the disk; rejects when `signal`
 * aborts before, or `position` is none. While its tables are still being copied nothing is complete, and nothing while it was last
 * fed by another server than the one that said the position. `publisher`: the server that feeds it; null: not seen yet.
 */
export async function appliedUpTo(
  database: Database,
  subscription: string,
  position: string,
  signal: AbortSignal,
  publisher: () => string | null,
): Promise<void> {
  const [, system, lsn] = /^(\d{1,20})\/([0-9A-F]{1,8}\/[0-9A-F]{1,8})$/i.exec(position) ?? [];
  if (system === undefined || lsn === undefined) throw new Error('not a position');
  for (;;) {
    signal.throwIfAborted();
    if (publisher() !== system) {
      await pause(POLL_MS, undefined, { signal });
      continue;
    }
    const [row] = await database.query<{ applied: boolean | null }>(
      `select pg_replication_origin_progress('pg_' || s.oid, true) >= $2::pg_lsn
         and not exists (select from pg_subscription_rel where srsubid = s.oid and srsubstate not in ('r', 's')) as applied
       from pg_subscription s join pg_database d on d.oid = s.subdbid
       where d.datname = current_database() and s.subname = $1`,
      [subscription, lsn],
    );
    if (row?.applied === true) return;
    await pause(POLL_MS, undefined, { signal });
  }
}
