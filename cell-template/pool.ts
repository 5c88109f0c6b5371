// Opens every pool of connections of the cell: none of them may end the process.
import { Pool, type PoolConfig } from 'pg';

/** Startup options: no commit waits for the standby but a tenant's that asks for it; queues and migrations go on without it. */
export const WAIT_FOR_NOBODY = '-c synchronous_commit=local';

/**
 * A pool on the database at `url`; it connects on demand. A connection that is lost is told to `onError`, idle or in
 * use: without a listener on both the `error` event of either would end the process.
 */
export function openPool(url: string, onError: (error: Error) => void, settings: PoolConfig): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'cell',
    options: WAIT_FOR_NOBODY,
    ...settings,
  });
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  return pool;
}
