// The rows of a home, from both of its databases: its own and its standby next door, past every cable.
import { Client, type QueryResultRow } from 'pg';
import { standbyDatabase, withDatabase } from '../../cell-template/standby/names.ts';
import type { ConflictRow, EffectRow, OrderRow, OutboxRow, Rows } from './audit.ts';
import type { DurabilityFleet } from './fleet.ts';

/** The URLs of a home's own database and of its standby. */
export function databasesOf(fleet: DurabilityFleet, home: string): { own: string; standby: string } {
  const { databaseUrl } = fleet.cell(fleet.neighbourOf(home));
  return { own: fleet.cell(home).databaseUrl, standby: withDatabase(databaseUrl, standbyDatabase(home)) };
}

/** Runs statements on a connection of its own. Rejects when the database is away. */
export async function onDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    application_name: 'bench',
    connectionTimeoutMillis: 2_000,
    query_timeout: 20_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * What two copies need not have in common: both sides may have written an entry of the same ID, each by its own rule, when
 * a request was sent again next door.
 */
const OWN_AFFAIR = { orders: [], conflicts: [], outbox: ['epoch', 'created_at'], effects: [] } as const;

/** All rows of these tenants, whole but for what two copies need not have in common. */
export async function readRows(url: string, tenants: readonly string[]): Promise<Rows> {
  return onDatabase(url, async (client) => {
    const all = async <Row extends QueryResultRow>(table: keyof typeof OWN_AFFAIR): Promise<Row[]> => {
      const { rows } = await client.query<{ row: Row }>(
        `select to_jsonb(t) - $2::text[] as row from public.${table} t where tenant = any ($1)`,
        [tenants, OWN_AFFAIR[table]],
      );
      return rows.map(({ row }) => row);
    };
    return {
      orders: await all<OrderRow>('orders'),
      conflicts: await all<ConflictRow>('conflicts'),
      outbox: await all<OutboxRow>('outbox'),
      effects: await all<EffectRow>('effects'),
    };
  });
}
