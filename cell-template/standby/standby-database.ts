// The database of a standby on this cell's own server: there, and with the schema of its home.
import { escapeIdentifier } from 'pg';
import { migrate } from '../migrate.ts';
import { standbyDatabase, standbySubscription, withDatabase } from './names.ts';
import { holderOf } from './neighbours.ts';
import { Partner } from './partner.ts';
import { unsubscribe } from './subscription.ts';

const CREATE_LIMIT_MS = 10_000;
const DUPLICATE_DATABASE = '42P04';
const NO_DATABASE = '3D000';

/**
 * Makes `standby_<home>` on the server of `url` unless it is there, and brings it to the schema of `home`, not beyond: rows
 * with columns that the home does not have could not go there. `publisher` is asked which migrations it has run. `holder`: this cell.
 */
export async function ensureStandby(
  url: string,
  { home, holder }: { home: string; holder: string },
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
  const standbyUrl = withDatabase(url, standbyDatabase(home));
  await migrate(standbyUrl, migrations, { newer: 'accept', only });
  const standby = new Partner(standbyUrl);
  try {
    await standby.ask('update public.identity set holder = $1 where holder is distinct from $1', [holder]);
  } finally {
    await standby.close();
  }
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
 * Ends the subscriptions of standbys that `owner` holds on the server of `url`, and whose homes are not among `declared` any more:
 * one that went on would keep WAL at its home, and confirm what it does not keep for anybody. The rows stay, in case that was a mistake.
 */
export async function endUndeclared(
  url: string,
  owner: string,
  declared: readonly string[],
): Promise<string[]> {
  const server = new Partner(url);
  try {
    const rows = await server.ask<{ database: string; name: string }>(
      `select d.datname as database, s.subname as name from pg_subscription s join pg_database d on d.oid = s.subdbid
       where starts_with(s.subname, 'standby_') and starts_with(d.datname, 'standby_')`,
    );
    const kept = new Set(declared.map(standbySubscription));
    const ended: string[] = [];
    for (const { database, name } of rows.filter((row) => !kept.has(row.name)))
      if (await endOwn(new Partner(withDatabase(url, database)), name, owner)) ended.push(name);
    return ended;
  } finally {
    await server.close();
  }
}

async function endOwn(standby: Partner, name: string, owner: string): Promise<boolean> {
  try {
    if ((await holderOf(standby)) !== owner) return false;
    await unsubscribe(standby, name);
    return true;
  } finally {
    await standby.close();
  }
}
