// How the cell is: its database really asked, and whether that is all there.
import type { FastifyBaseLogger } from 'fastify';
import type { Health } from './contract/contract.ts';
import type { Database } from './database.ts';

/** Slower than this the database is there but not well. */
const DEGRADED_MS = 150;

type DatabaseCheck = { status: 'ok' | 'degraded' | 'down'; latencyMs: number | null };

/** The checks of `GET /health`. `isRecovering`: the database is being filled again: the cell serves nobody. */
export function checksOf(
  database: Database,
  isRecovering: () => boolean,
  log: FastifyBaseLogger,
): () => Promise<Health> {
  let last: DatabaseCheck['status'] = 'ok';
  return async () => {
    const { error, ...check } = await checkDatabase(database);
    if (check.status !== last)
      log.warn({ err: error, status: check.status }, 'health of the database changed');
    last = check.status;
    if (!isRecovering()) return { status: check.status, checks: { database: check } };
    return { status: 'down', checks: { database: check, recovery: { status: 'down' } } };
  };
}

async function checkDatabase(database: Database): Promise<DatabaseCheck & { error?: unknown }> {
  try {
    const latencyMs = Math.round((await database.ping()) * 10) / 10;
    return { status: latencyMs > DEGRADED_MS ? 'degraded' : 'ok', latencyMs };
  } catch (error) {
    return { status: 'down', latencyMs: null, error };
  }
}
