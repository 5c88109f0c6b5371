// Two real PostgreSQL servers, a home's and its neighbour's, with the replication between them and no cells around it.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { migrate } from '../../cell-template/migrate.ts';
import { startDatabase, type EmbeddedDatabase } from '../../cell-template/postgres/embedded.ts';
import {
  guestsSubscription,
  standbyDatabase,
  standbySubscription,
  withDatabase,
} from '../../cell-template/standby/names.ts';
import { Pair, type PairOptions } from '../../cell-template/standby/pair.ts';
import { temporaryDataDir } from './cell.ts';
import { ask, MIGRATIONS } from './cell-database.ts';
import { until } from './wait.ts';

const logger = pino({ level: process.env['PAIR_LOG'] ?? 'silent' });

export type Server = { url: string; dataDir: string; database: EmbeddedDatabase };

async function startServer(): Promise<Server> {
  const dataDir = await temporaryDataDir();
  const database = await startDatabase(dataDir, logger, new AbortController().signal);
  return { url: database.url, dataDir, database };
}

async function stopServer(server: Server): Promise<void> {
  await server.database.close();
  await rm(server.dataDir, { recursive: true, force: true });
}

/** Two servers for all tests of a file. */
export function sharedServers(): { here: () => Server; there: () => Server } {
  const servers: Server[] = [];
  beforeAll(async () => {
    servers.push(...(await Promise.all([startServer(), startServer()])));
  });
  afterAll(async () => {
    await Promise.all(servers.map(stopServer));
  });
  const server = (index: number): Server => {
    const found = servers[index];
    if (found === undefined) throw new Error('the servers have not started');
    return found;
  };
  return { here: () => server(0), there: () => server(1) };
}

/** A home and its standby, each test's own: databases on the two servers. */
export type DatabasePair = {
  home: string;
  homeUrl: string;
  standbyUrl: string;
  /** The replication as the home's cell keeps it, and as its neighbour's does. */
  atHome: Pair;
  nextDoor: Pair;
  synced(): Promise<void>;
  /** The replication goes on, and nobody looks after it. */
  closeLinks(): Promise<void>;
  /** Ends all of it: servers have few slots. */
  close(): Promise<void>;
};

let pairs = 0;

/** Both directions, started and synced. `through`: how each server reaches the other, where that is not straight. */
export async function startDatabasePair(
  homeServer: Server,
  neighbourServer: Server,
  {
    migrations = MIGRATIONS,
    through = (url) => url,
    ...more
  }: { through?: (url: string) => string } & Partial<PairOptions> = {},
): Promise<DatabasePair> {
  pairs += 1;
  const home = `home-${pairs}`;
  const homeUrl = withDatabase(homeServer.url, home);
  const standbyUrl = withDatabase(neighbourServer.url, standbyDatabase(home));
  await ask(homeServer.url, `create database "${home}"`);
  await migrate(homeUrl, migrations);
  const common = { migrations, durability: 'async', logger, ...more } as const;
  const atHome = new Pair({
    ...common,
    cellId: home,
    ownUrl: homeUrl,
    neighbourUrl: through(neighbourServer.url),
    standbyOf: [],
  });
  const nextDoor = new Pair({
    ...common,
    cellId: 'neighbour',
    ownUrl: neighbourServer.url,
    neighbourUrl: null,
    standbyOf: [{ home, url: through(homeUrl) }],
  });
  atHome.startGuests();
  nextDoor.startStandbys();
  const isSynced = (): boolean =>
    nextDoor.standingOf(home)?.state === 'synced' && atHome.guests?.state === 'synced';
  let closing: Promise<unknown> | null = null;
  const closeLinks = async (): Promise<void> => {
    closing ??= Promise.all([atHome.close(), nextDoor.close()]);
    await closing;
  };
  const pair: DatabasePair = {
    home,
    homeUrl,
    standbyUrl,
    atHome,
    nextDoor,
    synced: async () => void (await until('both directions are synced', isSynced)),
    closeLinks,
    close: async () => {
      await closeLinks();
      await end(homeUrl, guestsSubscription(home));
      await end(standbyUrl, standbySubscription(home));
    },
  };
  await pair.synced();
  return pair;
}

/** Drops a subscription with its slot */
async function end(url: string, subscription: string): Promise<void> {
  const found = await ask(url, 'select from pg_subscription where subname = $1', [subscription]);
  if (found.length > 0) await ask(url, `drop subscription "${subscription}"`);
}

/** A copy of the shipped migrations in a folder of its own, for a release that adds some. */
export async function copyMigrations(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-migrations-'));
  await cp(MIGRATIONS, folder, { recursive: true });
  return folder;
}

/** Holds both directions up while `work` runs: what each side writes meanwhile meets afterwards. The links must be closed. */
export async function apart(
  { home, homeUrl, standbyUrl }: DatabasePair,
  work: () => Promise<void>,
): Promise<void> {
  const both = async (what: string): Promise<void> => {
    await ask(homeUrl, `alter subscription "${guestsSubscription(home)}" ${what}`);
    await ask(standbyUrl, `alter subscription "${standbySubscription(home)}" ${what}`);
  };
  await both('disable');
  await work();
  await both('enable');
}
