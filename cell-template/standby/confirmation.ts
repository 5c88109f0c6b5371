// DURABILITY=sync: whether the standby confirms at all just now. A write that nobody will confirm is refused before it is made.
import type { Database } from '../database.ts';
import { Loop } from '../loop.ts';
import { standbySubscription } from './names.ts';

const LOOK_MS = 200;

/**
 * One whose line is dead shows `streaming` until `wal_sender_timeout`. Who has waited for it for a second waits for nothing, as far as
 * anybody knows, and holds a connection that reads need: no more of them.
 */
const CONFIRMS = `select where
  exists (select from pg_stat_replication where application_name = $1 and state = 'streaming')
  and not exists (select from pg_stat_activity
    where wait_event = 'SyncRep' and state_change < clock_timestamp() - interval '1 s')`;

/** A commit waits for the standby until somebody ends that; its own process may be dead. The slot of a new standby waits for it. */
const END_ORPHANS = `select pg_cancel_backend(pid) from pg_stat_activity
  where wait_event = 'SyncRep' and xact_start < clock_timestamp() - interval '10 s'`;

export class Confirmation {
  readonly #database: Database;
  readonly #subscription: string;
  readonly #loop = new Loop(
    () => this.#look(),
    () => LOOK_MS,
  );
  #confirms = false;

  /** `database`: the cell's own. */
  constructor(database: Database, cellId: string) {
    this.#database = database;
    this.#subscription = standbySubscription(cellId);
  }

  async start(): Promise<void> {
    await this.#look();
    this.#loop.start();
  }

  /** As at the last look, a fifth of a second ago. */
  get confirms(): boolean {
    return this.#confirms;
  }

  close(): Promise<void> {
    return this.#loop.close();
  }

  /** One that still copies connects under another name (see `connectionOf`). */
  async #look(): Promise<void> {
    await this.#database.query(END_ORPHANS, []).catch(() => undefined);
    this.#confirms = await this.#database.query(CONFIRMS, [this.#subscription]).then(
      (rows) => rows.length > 0,
      () => false,
    );
  }
}
