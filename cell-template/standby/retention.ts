// The WAL that this server keeps for the other side of a pair, while that is away: bounded, shown, and complained about.
import type { Logger } from 'pino';
import type { Database } from '../database.ts';
import { Loop } from '../loop.ts';

const LOOK_MS = 5_000;

/**
 * `status` as PostgreSQL has it (pg_replication_slots.wal_status): `reserved`, `extended`, `unreserved` (about to be given
 * up), `lost` (what it was for is copied anew).
 */
export type Retained = { slot: string; bytes: number; status: string };

export class Retention {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #loop = new Loop(
    () => this.#look().catch(() => undefined),
    () => LOOK_MS,
  );
  #slots: readonly Retained[] = [];

  /** `database`: any on the server. */
  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  start(): void {
    this.#loop.start();
  }

  /** As at the last look, at most five seconds ago where the server answers. */
  get slots(): readonly Retained[] {
    return this.#slots;
  }

  close(): Promise<void> {
    return this.#loop.close();
  }

  async #look(): Promise<void> {
    const before = new Map(this.#slots.map(({ slot, status }) => [slot, status]));
    this.#slots = await this.#database.query<Retained>(
      `select slot_name::text as slot, coalesce(wal_status, 'lost') as status,
         coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 as bytes
       from pg_replication_slots where slot_name ~ '^(standby|guests)_|^pg_[0-9]+_sync_'`,
      [],
    );
    for (const { slot, status, bytes } of this.#slots) {
      const isBad = status === 'unreserved' || status === 'lost';
      if (isBad && before.get(slot) !== status)
        this.#logger.error({ slot, status, bytes }, 'WAL for a standby is given up: it will be copied anew');
    }
  }
}
