// The pool of connections to the cell's PostgreSQL, wherever that runs, and its one question for health.
import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, Pool, type PoolConfig, type QueryResultRow } from 'pg';
import { Refusal } from './errors.ts';

/** Below a router's usual 400 ms for a whole probe, so that "database down" is said and not timed out. */
const PING_LIMIT_MS = 300;

const CLOSE_LIMIT_MS = 1_000;

/** SQLSTATE classes that say "not now": connection, resources, operator intervention and shutdown. */
const UNAVAILABLE_CLASSES = new Set(['08', '53', '57']);

export interface Database {
  /** Runs one statement. Throws `Refusal` `database-unavailable` when it cannot be reached or answers too late. */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]>;
  /**
   * Asks the database whether it is there, within 300 ms, on a connection of its own: a busy pool is no dead database.
   * Callers at the same time share one question. Answers the latency in ms; rejects when there is no answer.
   */
  ping(): Promise<number>;
  /** Ends all connections; a frozen database, which answers no good-bye, is left after 1 s. */
  close(): Promise<void>;
}

/** Connects on demand: a database that is away now is found again later. `onError` hears of idle connections lost. */
export function openDatabase(url: string, onError: (error: Error) => void): Database {
  const pool = openPool(url, onError, {
    max: 10,
    connectionTimeoutMillis: 2_000,
    statement_timeout: 5_000,
    // The client's own bound: a frozen database ends no statement.
    query_timeout: 6_000,
    idle_in_transaction_session_timeout: 10_000,
  });
  const pinger = openPool(url, onError, {
    max: 1,
    connectionTimeoutMillis: PING_LIMIT_MS,
    query_timeout: PING_LIMIT_MS,
  });
  let asking: Promise<number> | null = null;

  return {
    async query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
      try {
        return (await pool.query<Row>(text, [...values])).rows;
      } catch (error) {
        throw isUnavailable(error) ? unavailable(error) : error;
      }
    },
    ping() {
      asking ??= timed(pinger).finally(() => {
        asking = null;
      });
      return asking;
    },
    async close() {
      await Promise.race([
        Promise.all([pool.end(), pinger.end()]),
        pause(CLOSE_LIMIT_MS, undefined, { ref: false }),
      ]);
    },
  };
}

function openPool(url: string, onError: (error: Error) => void, settings: PoolConfig): Pool {
  const pool = new Pool({ connectionString: url, application_name: 'cell', ...settings });
  pool.on('error', onError);
  return pool;
}

async function timed(pinger: Pool): Promise<number> {
  const start = performance.now();
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PING_LIMIT_MS} ms`)), PING_LIMIT_MS);
  try {
    await Promise.race([pinger.query('select 1'), tooLate]);
    return performance.now() - start;
  } finally {
    clearTimeout(timer);
  }
}

function isUnavailable(error: unknown): boolean {
  return !(error instanceof DatabaseError) || UNAVAILABLE_CLASSES.has(error.code?.slice(0, 2) ?? '');
}

function unavailable(cause: unknown): Refusal {
  return new Refusal('database-unavailable', 'the database of the cell did not answer', { cause });
}
