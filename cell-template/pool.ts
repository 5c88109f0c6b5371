// Opens every pool of connections of the cell: none of them may end the process.
import { Pool, type PoolConfig } from 'pg';

/**
 * A pool on the database at `url`; it connects on demand. A connection that is lost is told to `onError`, idle or in
 * use: without a listener on both the `error` event of either would end the process.
 */
export function openPool(url: string, onError: (error: Error) => void, settings: PoolConfig): Pool {
  const pool = new Pool({ connectionString: url, application_name: 'cell', ...settings });
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  return pool;
}
