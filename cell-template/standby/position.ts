// How far a database has written, and whether the other one of the pair has all of it: what a handover waits for.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../database.ts';

const POLL_MS = 10;

/**
 * A WAL position (pg_lsn, `16/B374D848`) beyond everything that `database` has committed so far. The beat that follows is a
 * commit behind it: a subscriber that has applied the beat is past the position.
 */
export async function writtenUpTo(database: Database, cell: string): Promise<string> {
  const [row] = await database.query<{ position: string }>(
    'select pg_current_wal_insert_lsn()::text as position',
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
 * Resolves once what `subscription` ships into `database` is complete up to `position`; rejects when `signal` aborts
 * before, or `position` is none. While its tables are still being copied nothing is complete.
 */
export async function appliedUpTo(
  database: Database,
  subscription: string,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  if (!/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(position)) throw new Error('not a WAL position');
  for (;;) {
    signal.throwIfAborted();
    const [row] = await database.query<{ applied: boolean | null }>(
      `select pg_replication_origin_progress('pg_' || s.oid, false) >= $2::pg_lsn
         and not exists (select from pg_subscription_rel where srsubid = s.oid and srsubstate not in ('r', 's')) as applied
       from pg_subscription s join pg_database d on d.oid = s.subdbid
       where d.datname = current_database() and s.subname = $1`,
      [subscription, position],
    );
    if (row?.applied === true) return;
    await pause(POLL_MS, undefined, { signal });
  }
}
