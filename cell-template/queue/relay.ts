// Moves outbox entries of the cell's own tenants into the queue of the same database, in one transaction.
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { TASK } from './job.ts';

/** How soon an entry is seen that nobody nudged for: one that came by replication, or was put back. */
const POLL_MS = 200;
/** A failing database is not asked that often. */
const FAILED_POLL_MS = 1_000;
const BATCH = 500;
/** Runs of a job before it is a dead letter; graphile-worker waits e, e², … seconds between them: 85 s in all. */
const MAX_ATTEMPTS = 5;

export interface Relay {
  /** There may be entries: look now. */
  nudge(): void;
  /** Resolves when the move under way has ended. */
  stop(): Promise<void>;
}

/** Moves entries until it is stopped. `isOwn` says whether a tenant's later work is this cell's now. */
export function startRelay(pool: Pool, isOwn: (tenant: string) => boolean, logger: Logger): Relay {
  const alarm = new Alarm();
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const moved = await relayOnce(pool, isOwn);
        if (moved < BATCH) await alarm.wait(POLL_MS);
      } catch (error) {
        logger.debug({ err: error }, 'relay failed, tries again');
        await alarm.wait(FAILED_POLL_MS);
      }
    }
  };
  const ended = loop();
  return {
    nudge: () => alarm.ring(),
    stop() {
      stop.abort();
      alarm.ring();
      return ended;
    },
  };
}

/** One tenant after the other by the index, however many entries each has: not-own ones may be many. */
const TENANTS = `
  with recursive tenants as (
    (select tenant from public.pending order by tenant limit 1)
    union all
    select (select later.tenant from public.pending as later where later.tenant > tenants.tenant
            order by later.tenant limit 1)
    from tenants where tenants.tenant is not null
  )
  select tenant from tenants where tenant is not null`;

/** The tenants with pending entries. */
export async function pendingTenants(
  ask: (text: string) => Promise<{ tenant: string }[]>,
): Promise<string[]> {
  return (await ask(TENANTS)).map(({ tenant }) => tenant);
}

/** Moves one batch and answers how many entries that were. */
async function relayOnce(pool: Pool, isOwn: (tenant: string) => boolean): Promise<number> {
  const waiting = await pendingTenants(async (text) => (await pool.query<{ tenant: string }>(text)).rows);
  const own = waiting.filter(isOwn);
  if (own.length === 0) return 0;
  const { rows } = await pool.query<{ moved: number }>(
    `with moved as (
       delete from public.pending where outbox_id in (
         select outbox_id from public.pending where tenant = any($1) limit $2 for update skip locked)
       returning outbox_id, tenant
     )
     select count(*)::integer as moved from graphile_worker.add_jobs(array(
       select row($3, json_build_object('outboxId', outbox_id, 'tenant', tenant), null, null, $4, outbox_id, null, null)
         ::graphile_worker.job_spec
       from moved))`,
    [own, BATCH, TASK, MAX_ATTEMPTS],
  );
  return rows[0]?.moved ?? 0;
}

/** A wait that may be cut short, also by a ring from before it began. */
class Alarm {
  #rung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(limitMs: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, limitMs);
      await promise;
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#rung = false;
  }
}
