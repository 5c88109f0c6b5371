// The connections to one PostgreSQL database of the cell: tenants' transactions, its own statements, one question for health.
import { setTimeout as pause } from 'node:timers/promises';
import type { Pool, QueryResultRow } from 'pg';
import { openPool } from './pool.ts';
import { inTenant, type Transaction, type Whose } from './transactions.ts';
import { isUnavailable, unavailable } from './unavailable.ts';

/** Below a router's usual 400 ms for a whole probe, so that "database down" is said and not timed out. */
const PING_LIMIT_MS = 300;

const CLOSE_LIMIT_MS = 1_000;

const MAX_CONNECTIONS = 10;
/** For the standby to confirm a commit; below what a statement may take. */
const CONFIRM_LIMIT_MS = 4_000;

export interface Database {
  /** Runs `work` in one transaction that sees the rows of one tenant alone; what it throws: see `inTenant`. */
  inTenant<T>(whose: Whose, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** The same for what nobody is told of yet, and what is done once more where it was lost: it waits for no standby. */
  inTenantLater<T>(whose: Whose, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Runs one statement as the cell itself, which row-level security does not bind: never for a tenant's request.
   * Throws `Refusal` `database-unavailable` when the database cannot be reached or answers too late.
   */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]>;
  /**
   * Asks the database whether it is there, within 300 ms, on a connection of its own: a busy pool is no dead database.
   * Callers at the same time share one question. Answers the latency in ms; rejects when there is no answer.
   */
  ping(): Promise<number>;
  /** Connections in use now, and callers that wait for one. */
  load(): { inUse: number; waiting: number };
  /** Ends all connections; a frozen database, which answers no good-bye, is left after 1 s. */
  close(): Promise<void>;
}

/**
 * Connects on demand, with 10 connections at most and one for `ping`: a database that is away now is found again later.
 * `onError` hears of connections lost. With `sync` a tenant's transaction counts as done only when the standby that the
 * server names has confirmed it, within `confirmLimitMs`.
 */
export function openDatabase(
  url: string,
  onError: (error: Error) => void,
  { sync = false, confirmLimitMs = CONFIRM_LIMIT_MS }: { sync?: boolean; confirmLimitMs?: number } = {},
): Database {
  const pool = openPool(url, onError, {
    max: MAX_CONNECTIONS,
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
  const cancel = (pid: number): Promise<unknown> => pinger.query('select pg_cancel_backend($1)', [pid]);
  const durability = sync
    ? ({ mode: 'sync', limitMs: confirmLimitMs, cancel } as const)
    : ({ mode: 'async' } as const);
  let asking: Promise<number> | null = null;

  return {
    inTenant: (whose, work) => inTenant(pool, durability, whose, work),
    inTenantLater: (whose, work) => inTenant(pool, { mode: 'async' }, whose, work),
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
    load: () => ({ inUse: pool.totalCount - pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      await Promise.race([
        Promise.all([pool.end(), pinger.end()]),
        pause(CLOSE_LIMIT_MS, undefined, { ref: false }),
      ]);
    },
  };
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
