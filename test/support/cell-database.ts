// A way into the database of a running cell, past its API: as an operator with psql would have it.
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { migrate } from '../../cell-template/migrate.ts';
import type { RunningCell } from './cell.ts';

export const MIGRATIONS = join(import.meta.dirname, '../../cell-template/migrations');

/** The URL of the cell's own database, as its superuser. */
export function databaseUrl({ dataDir }: Pick<RunningCell, 'dataDir'>, database = 'postgres'): string {
  return `postgres://cell@localhost:5432/${database}?host=${encodeURIComponent(join(dataDir, 'postgres'))}`;
}

/** Runs one statement on a connection of its own and answers its rows. */
export async function ask<Row extends QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  // The tests kill databases.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Another database on the cell's server, with the schema of a cell; the cell knows nothing of it. Answers its URL. */
export async function addDatabase(cell: RunningCell, name: string): Promise<string> {
  await ask(databaseUrl(cell), `create database ${name}`);
  const url = databaseUrl(cell, name);
  await migrate(url, MIGRATIONS);
  return url;
}
