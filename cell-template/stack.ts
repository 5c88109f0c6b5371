// What a cell is made of below its HTTP server: its databases, and the replication between them and those of its pair.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { CellConfig } from './config.ts';
import { openDatabase, type Database } from './database.ts';
import { homesOf, type Homes, type HomeStore } from './homes.ts';
import { migrate } from './migrate.ts';
import { Confirmation } from './standby/confirmation.ts';
import { confirmWrites } from './standby/confirmed-writes.ts';
import { standbyDatabase, withDatabase } from './standby/names.ts';
import { Pair } from './standby/pair.ts';
import { Recovery } from './standby/recovery.ts';
import { Retention } from './standby/retention.ts';
import { endUndeclared, migrateStandby } from './standby/standby-database.ts';

/** A neighbour that does not answer keeps no cell from starting. */
const NEIGHBOUR_LIMIT_MS = 1_000;

export type Stack = {
  /** The cell's own. */
  database: Database;
  homes: Homes;
  pair: Pair;
  recovery: Recovery;
  retention: Retention;
  /** Null: writes wait for no standby. */
  confirmation: Confirmation | null;
};

/**
 * Brings the schema of the database at `url` up to date, its standby's first, and opens all that is there. `closing` is
 * filled with what ends it again, the last part first.
 */
export async function openStack(
  config: CellConfig,
  url: string,
  migrations: string,
  logger: Logger,
  closing: (end: () => Promise<void>) => void,
): Promise<Stack> {
  await bringUpToDate(config, url, migrations, logger);
  // Without a neighbour nobody could confirm.
  const durability = config.neighbourUrl === null ? 'async' : config.durability;
  await confirmWrites(url, config.cellId, durability);
  void endFormerStandbys(config, url, logger);
  const homes = openHomes({ ...config, durability }, url, logger);
  closing(async () => void (await Promise.all(homes.all().map((store) => store.database.close()))));
  const own = homes.of(config.cellId);
  if (own === null) throw new Error('a cell has its own database');

  const { cellId, neighbourUrl } = config;
  const pair = new Pair({ ...config, ownUrl: url, migrations, logger });
  const isCopied = (): boolean => pair.guests?.state === 'synced';
  const recovery = new Recovery({ cellId, url, neighbourUrl, isCopied, logger });
  await recovery.start();
  closing(() => recovery.close());
  pair.startStandbys();
  void recovery.decided.then(() => pair.startGuests());
  closing(() => pair.close());
  const retention = new Retention(own.database, logger);
  retention.start();
  closing(() => retention.close());
  const confirmation = durability === 'sync' ? new Confirmation(own.database, cellId) : null;
  await confirmation?.start();
  closing(async () => confirmation?.close());
  return { database: own.database, homes, pair, recovery, retention, confirmation };
}

/** No start waits for it: a subscription that still copied asks its home, which may be away. */
async function endFormerStandbys(
  { cellId, standbyOf }: CellConfig,
  url: string,
  logger: Logger,
): Promise<void> {
  const declared = standbyOf.map(({ home }) => home);
  try {
    const ended = await endUndeclared(url, cellId, declared);
    if (ended.length > 0)
      logger.warn({ ended }, 'standbys that are not declared any more are not fed any more');
  } catch (error) {
    const { code } = error as { code?: string };
    logger.warn({ code }, 'former standbys could not be ended: the next start tries again');
  }
}

/** The standby next door first: a column must be there before the home sends it. */
async function bringUpToDate(
  { cellId, neighbourUrl }: CellConfig,
  url: string,
  migrations: string,
  logger: Logger,
): Promise<void> {
  if (neighbourUrl !== null) {
    const standby = migrateStandby(neighbourUrl, cellId, migrations);
    // Whatever comes of it: the link brings it up to date when the neighbour answers.
    await Promise.race([
      standby.catch(() => logger.warn('the standby next door could not be migrated yet')),
      pause(NEIGHBOUR_LIMIT_MS, undefined, { ref: false }),
    ]);
  }
  const migrated = await migrate(url, migrations);
  if (migrated.length > 0) logger.info({ migrated }, 'database migrated');
}

function openHomes({ cellId, standbyOf, durability }: CellConfig, url: string, logger: Logger): Homes {
  const open = (home: string, role: HomeStore['role'], at: string): HomeStore => {
    const onError = (error: Error): void =>
      logger.warn({ err: error, home }, 'connection to the database lost');
    // Guests' writes wait for no second disk: the one that could confirm them is their home's, which is away.
    return {
      home,
      role,
      url: at,
      database: openDatabase(at, onError, { sync: role === 'home' && durability === 'sync' }),
    };
  };
  return homesOf([
    open(cellId, 'home', url),
    ...standbyOf.map(({ home }) => open(home, 'standby', withDatabase(url, standbyDatabase(home)))),
  ]);
}
