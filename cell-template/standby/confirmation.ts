// DURABILITY=sync: whether the standby confirms at all just now. A write that nobody will confirm is refused before it is made.
import type { Database } from '../database.ts';
import { Loop } from '../loop.ts';
import { standbySubscription } from './names.ts';

const LOOK_MS = 200;

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
    this.#confirms = await this.#database
      .query(`select from pg_stat_replication where application_name = $1 and state = 'streaming'`, [
        this.#subscription,
      ])
      .then(
        (rows) => rows.length > 0,
        () => false,
      );
  }
}
