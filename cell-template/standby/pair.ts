// The replication of a cell with those beside it: in from each home whose standby it holds, and back in from its neighbour.
import type { Logger } from 'pino';
import type { Durability } from '../config.ts';
import type { StandbyOf } from './declared.ts';
import type { HomeStore } from '../homes.ts';
import { Link } from './link.ts';
import type { Standing } from './standings.ts';
import { guestsSubscription, standbyDatabase, standbySubscription, withDatabase } from './names.ts';
import { ensureStandby, migrateStandby } from './standby-database.ts';

/** Further behind than this, or not seen for this long, is not caught up. */
const CAUGHT_UP_S = 1;
const FRESH_MS = 2_000;

export type PairOptions = {
  cellId: string;
  /** The cell's own database. */
  ownUrl: string;
  neighbourUrl: string | null;
  standbyOf: readonly StandbyOf[];
  /** The folder of the migrations. */
  migrations: string;
  durability: Durability;
  logger: Logger;
};

export class Pair {
  readonly #standbys: ReadonlyMap<string, Link>;
  readonly #guests: Link | null;

  constructor(options: PairOptions) {
    this.#standbys = new Map(
      options.standbyOf.map((standby) => [standby.home, standbyLink(options, standby)]),
    );
    this.#guests = options.neighbourUrl === null ? null : guestsLink(options, options.neighbourUrl);
  }

  /** Begins with the copies that this cell holds; what comes back to its own database is another step. */
  startStandbys(): void {
    for (const link of this.#standbys.values()) link.start();
  }

  /** What guests wrote next door comes home. */
  startGuests(): void {
    this.#guests?.start();
  }

  /** The server that feeds the database, as at the last contact; null: there was none. */
  publisherInto({ home, role }: HomeStore): string | null {
    const link = role === 'home' ? this.#guests : this.#standbys.get(home);
    return link?.publisher ?? null;
  }

  /** Of each home whose standby this cell holds, as at the last contact with that home. */
  standings(): Record<string, Standing> {
    return Object.fromEntries([...this.#standbys].map(([home, { standing }]) => [home, standing]));
  }

  standingOf(home: string): Standing | null {
    return this.#standbys.get(home)?.standing ?? null;
  }

  /** Of what guests wrote next door; null: there is no neighbour. */
  get guests(): Standing | null {
    return this.#guests?.standing ?? null;
  }

  /**
   * Whether this cell has all that was written at `neighbour` (the one by the rule that it knows; null: it knows none), but for what
   * is on its way just now; null: nobody stands in for it. With the neighbour out of reach nobody knows.
   */
  caughtUp(neighbour: string | null): boolean | null {
    if (this.#guests === null) return null;
    if (neighbour !== null && this.#guests.holder !== neighbour) return false;
    const { standing, silentMs } = this.#guests;
    return (
      standing.state === 'synced' && (standing.lagSeconds ?? Infinity) <= CAUGHT_UP_S && silentMs < FRESH_MS
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#links().map((link) => link.close()));
  }

  #links(): Link[] {
    return [...this.#standbys.values(), ...(this.#guests === null ? [] : [this.#guests])];
  }
}

function standbyLink(options: PairOptions, { home, url }: StandbyOf): Link {
  const { cellId, ownUrl, migrations, durability, logger } = options;
  return new Link({
    owner: cellId,
    standbyOf: home,
    subscription: standbySubscription(home),
    subscriberUrl: withDatabase(ownUrl, standbyDatabase(home)),
    publisherUrl: url,
    synchronousCommit: durability === 'sync' ? 'local' : 'off',
    prepare: (publisher) => ensureStandby(ownUrl, { home, holder: cellId }, publisher, migrations),
    logger,
  });
}

function guestsLink(
  { cellId, ownUrl, migrations, durability, logger }: PairOptions,
  neighbourUrl: string,
): Link {
  return new Link({
    owner: cellId,
    standbyOf: null,
    subscription: guestsSubscription(cellId),
    subscriberUrl: ownUrl,
    publisherUrl: withDatabase(neighbourUrl, standbyDatabase(cellId)),
    synchronousCommit: durability === 'sync' ? 'local' : 'off',
    prepare: async () => {
      await migrateStandby(neighbourUrl, cellId, migrations);
    },
    logger,
  });
}
