// The database of a standby on this cell's own server: there, and with the schema of its home.
import { escapeIdentifier } from 'pg';
import { migrate } from '../migrate.ts';
import { standbyDatabase, standbySubscription, withDatabase } from './names.ts';
import { holderOf } from './neighbours.ts';
import { NO_DATABASE, withPartner, type Partner } from './partner.ts';
import { unsubscribe } from './subscription.ts';

const CREATE_LIMIT_MS = 10_000;
const DUPLICATE_DATABASE = '42P04';

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
  await withPartner(url, (server) =>
    server.ask(`create database ${escapeIdentifier(standbyDatabase(home))}`, [], CREATE_LIMIT_MS),
  ).catch((error: { code?: string }) => {
    if (error.code !== DUPLICATE_DATABASE) throw error;
  });
  const rows = await publisher.ask<{ name: string }>('select name from public.migrations');
  const only = new Set(rows.map(({ name }) => name));
  const standbyUrl = withDatabase(url, standbyDatabase(home));
  await migrate(standbyUrl, migrations, { newer: 'accept', only });
  await withPartner(standbyUrl, (standby) =>
    standby.ask('update public.identity set holder = $1 where holder is distinct from $1', [holder]),
  );
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
  const rows = await withPartner(url, (server) =>
    server.ask<{ database: string; name: string }>(
      `select d.datname as database, s.subname as name from pg_subscription s join pg_database d on d.oid = s.subdbid
       where starts_with(s.subname, 'standby_') and starts_with(d.datname, 'standby_')`,
    ),
  );
  const kept = new Set(declared.map(standbySubscription));
  const ended: string[] = [];
  for (const { database, name } of rows.filter((row) => !kept.has(row.name))) {
    const isEnded = await withPartner(withDatabase(url, database), (standby) => endOwn(standby, name, owner));
    if (isEnded) ended.push(name);
  }
  return ended;
}

async function endOwn(standby: Partner, name: string, owner: string): Promise<boolean> {
  if ((await holderOf(standby)) !== owner) return false;
  await unsubscribe(standby, name);
  return true;
}
