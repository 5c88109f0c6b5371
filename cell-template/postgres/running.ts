// From a data folder to a PostgreSQL that answers there and is this cell's: made, started or adopted.
import { setTimeout as pause } from 'node:timers/promises';
import { accountFor, closedFolder, type Account } from './account.ts';
import { findBinaries } from './binaries.ts';
import { DATABASE_USER, initialise } from './initialise.ts';
import { messageOf } from '../errors.ts';
import { claim, isNotYet, type Keeper } from './keeper.ts';
import { launch, type Launched } from './launch.ts';
import { removeSocketDir, type Layout } from './layout.ts';
import { findPostmaster, stopPostmaster } from './processes.ts';

/** From the start of PostgreSQL to its first answer; recovery after a crash is part of it. */
const READY_LIMIT_MS = 30_000;
const POLL_MS = 20;

/** A PostgreSQL that answers, claimed for this cell. */
export type Running = { pid: number; keeper: Keeper };

/** The connection string for the PostgreSQL of `layout`. The environment's `PG…` variables do not get a say. */
export function urlOf({ socketDir }: Layout): string {
  const query = new URLSearchParams({ host: socketDir, sslmode: 'disable' });
  return `postgres://${DATABASE_USER}@localhost:5432/postgres?${query.toString().replaceAll('+', '%20')}`;
}

/**
 * Makes sure that a PostgreSQL runs on `layout` and is this cell's alone. Throws `InUseError` when it is another
 * cell's. After any error nothing runs that was started here, and what ran before still does. `signal` ends the wait.
 */
export async function ensureRunning(layout: Layout, signal: AbortSignal): Promise<Running> {
  const account = await accountFor(layout.pgData);
  await refuseClosedFolders(layout, account);
  const binaries = await findBinaries(account);
  await initialise(layout.pgData, binaries, account, signal);
  return startAndClaim(layout, () => launch(layout, binaries, account), signal);
}

/** Stops whatever PostgreSQL runs on `layout` and removes its socket. */
export async function stopRunning(layout: Layout): Promise<void> {
  await stopPostmaster(layout.pgData);
  await removeSocketDir(layout);
}

async function refuseClosedFolders({ dataDir }: Layout, account: Account): Promise<void> {
  const closed = await closedFolder(dataDir, account);
  if (closed === null) return;
  throw new Error(
    `PostgreSQL runs as user ${account.uid}, who may not enter ${closed}; ` +
      `choose another DATA_DIR, run chmod o+x ${closed}, or start the cell as an ordinary user`,
  );
}

async function startAndClaim(
  layout: Layout,
  start: () => Promise<Launched>,
  signal: AbortSignal,
): Promise<Running> {
  let launched: Launched | null = null;
  try {
    const end = performance.now() + READY_LIMIT_MS;
    while (performance.now() < end) {
      signal.throwIfAborted();
      const postmaster = await findPostmaster(layout.pgData);
      if (launched?.hasExited() === true) throw new Error('it ended at once');
      if (postmaster === null) launched ??= await start();
      const keeper = await claimIfReady(layout);
      if (keeper !== null && postmaster !== null) return { pid: postmaster, keeper };
      await keeper?.release();
      await pause(POLL_MS);
    }
    throw new Error(`PostgreSQL gave no answer within ${READY_LIMIT_MS} ms`);
  } catch (error) {
    if (launched === null) throw error;
    await launched.cancel();
    await removeSocketDir(layout);
    const log = await launched.logTail();
    throw new Error(`PostgreSQL does not start: ${messageOf(error)}; it said: ${log}`, { cause: error });
  }
}

/** Null while PostgreSQL is still coming up, or on its way down. */
async function claimIfReady(layout: Layout): Promise<Keeper | null> {
  try {
    return await claim(urlOf(layout));
  } catch (error) {
    if (isNotYet(error)) return null;
    throw error;
  }
}
