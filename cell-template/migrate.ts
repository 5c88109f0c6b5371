// Brings the schema up to date: the files of migrations/, in order of name, each once.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { messageOf } from './errors.ts';
import { WAIT_FOR_NOBODY } from './pool.ts';

/** Any fixed number: the advisory lock that lets one process migrate a database at a time. */
const LOCK_KEY = 4_101;
/** How long to wait for another process's migrations, and for one statement of a file. */
const LIMIT_MS = 60_000;

type Migration = { name: string; sql: string; digest: string };

/**
 * What to do with a migration that only the database knows. `refuse`: it is this code's own database, which a newer
 * release has used. `accept`: it is another cell's, whose release goes first; it only added what this code need not know.
 */
export type Newer = 'refuse' | 'accept';

/** The database holds a migration that is not the file of that name here, or that is not here at all. */
class MigrationError extends Error {
  override name = 'MigrationError';
}

/**
 * Runs the `.sql` files of `folder` that the database at `url` has not seen, each in a transaction of its own, and
 * answers their names. Processes that migrate one database at once take turns. Throws `MigrationError` when a file
 * differs from what was run under its name, and, unless those are accepted, when the database has run more than there is
 * here. `only`: no others are run.
 */
export async function migrate(
  url: string,
  folder: string,
  { newer = 'refuse', only }: { newer?: Newer; only?: ReadonlySet<string> } = {},
): Promise<string[]> {
  const migrations = await readMigrations(folder);
  const client = new Client({
    connectionString: url,
    application_name: 'cell migrations',
    connectionTimeoutMillis: 5_000,
    statement_timeout: LIMIT_MS,
    // A server that is gone answers nothing, not even that.
    query_timeout: LIMIT_MS + 5_000,
    keepAlive: true,
    options: `${WAIT_FOR_NOBODY} -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3`,
  });
  // A lost connection rejects the statement under way; without a listener it would end the process first.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK_KEY]);
    const done = await readDone(client);
    refuseChanged(done, migrations);
    if (newer === 'refuse') refuseNewer(done, migrations);
    const missing = migrations.filter(({ name }) => !done.has(name) && (only?.has(name) ?? true));
    for (const migration of missing) await runOne(client, migration);
    return missing.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), 'utf8');
      return { name, sql, digest: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** Name → digest of what the database has run. */
async function readDone(client: Client): Promise<Map<string, string>> {
  await client.query(
    `create table if not exists migrations (
       name text primary key, digest text not null, run_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<{ name: string; digest: string }>(
    'select name, digest from migrations',
  );
  return new Map(rows.map(({ name, digest }) => [name, digest]));
}

function refuseNewer(done: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map(({ name }) => name));
  const newer = [...done.keys()].filter((name) => !known.has(name));
  if (newer.length === 0) return;
  throw new MigrationError(
    `the database is newer than this code: it has run ${newer.join(', ')}; start the release that did, or a later one`,
  );
}

function refuseChanged(done: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  for (const { name, digest } of migrations)
    if ((done.get(name) ?? digest) !== digest)
      throw new MigrationError(`${name} was changed after the database ran it; put changes into a new file`);
}

async function runOne(client: Client, { name, sql, digest }: Migration): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('insert into migrations (name, digest) values ($1, $2)', [name, digest]);
    await client.query('commit');
  } catch (cause) {
    // The connection may be the very thing that failed; closing it rolls back as well.
    await client.query('rollback').catch(() => undefined);
    throw new MigrationError(`${name} failed: ${messageOf(cause)}`, { cause });
  }
}
