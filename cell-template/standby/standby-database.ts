// The database of a standby on this cell's own server: there, and with the schema of its home.
import { escapeIdentifier } from 'pg';
import { migrate } from '../migrate.ts';
import { standbyDatabase, standbySubscription, withDatabase } from './names.ts';
import { Partner } from './partner.ts';
import { unsubscribe } from './subscription.ts';

const CREATE_LIMIT_MS = 10_000;
const DUPLICATE_DATABASE = '42P04';
const NO_DATABASE = '3D000';

/**
 * Makes `standby_<home>` on the server of `url` unless it is there, and brings it to the schema of `home`, not beyond: rows
 * with columns that the home does not have could not go there. `home` is asked which migrations it has run.
 */
export async function ensureStandby(
  url: string,
  home: string,
  publisher: Partner,
  migrations: string,
): Promise<void> {
  const server = new Partner(url);
  try {
    await server
      .ask(`create database ${escapeIdentifier(standbyDatabase(home))}`, [], CREATE_LIMIT_MS)
      .catch((error: { code?: string }) => {
        if (error.code !== DUPLICATE_DATABASE) throw error;
      });
  } finally {
    await server.close();
  }
  const rows = await publisher.ask<{ name: string }>('select name from public.migrations');
  const only = new Set(rows.map(({ name }) => name));
  await migrate(withDatabase(url, standbyDatabase(home)), migrations, { newer: 'accept', only });
}

/**
 * Brings the standby of `home` next door to the schema of this code, where there is one: a column must be there before the
 * home sends it. Throws when the neighbour can not be reached.
 */
export async function migrateStandby(
  neighbourUrl: string,
  home: string,
  migrations: string,
): Promise<string[]> {
  try {
    return await migrate(withDatabase(neighbourUrl, standbyDatabase(home)), migrations, { newer: 'accept' });
  } catch (error) {
    if ((error as { code?: string }).code === NO_DATABASE) return [];
    throw error;
  }
}

/**
 * Ends the subscriptions of standbys on the server of `url` whose homes are not among `declared` any more: one that went on would
 * keep WAL at its home, and confirm what it does not keep for anybody. The rows stay, in case that was a mistake.
 */
export async function endUndeclared(url: string, declared: readonly string[]): Promise<string[]> {
  const server = new Partner(url);
  try {
    const rows = await server.ask<{ database: string; name: string }>(
      `select d.datname as database, s.subname as name from pg_subscription s join pg_database d on d.oid = s.subdbid
       where starts_with(s.subname, 'standby_') and starts_with(d.datname, 'standby_')`,
    );
    const kept = new Set(declared.map(standbySubscription));
    const ended = rows.filter(({ name }) => !kept.has(name));
    for (const { database, name } of ended) {
      const standby = new Partner(withDatabase(url, database));
      try {
        await unsubscribe(standby, name);
      } finally {
        await standby.close();
      }
    }
    return ended.map(({ name }) => name);
  } finally {
    await server.close();
  }
}
