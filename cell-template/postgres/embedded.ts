// A real PostgreSQL of the cell's own below DATA_DIR: started or adopted, kept running, stopped with the cell.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ensureDataDir, layoutOf, type Layout } from './layout.ts';
import { postgresPids, signal as sendSignal } from './processes.ts';
import { ensureRunning, stopRunning, urlOf, type Running } from './running.ts';

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

export interface EmbeddedDatabase {
  /** A connection string. It stays the same when PostgreSQL is started again. */
  readonly url: string;
  /** Stops PostgreSQL, bounded to about 5 s. */
  close(): Promise<void>;
  /** Tells PostgreSQL to stop at once, without waiting for it: for a process that is about to exit. */
  abandon(): void;
}

/**
 * Starts the PostgreSQL of `dataDir`, new or with the data that are there, or adopts the one that a killed cell left
 * running. When it dies later it is started again, and until then nobody answers at `url`. `signal` ends the start
 * early. Throws with a message that says what to do; nothing is left running then but what another cell uses.
 */
export async function startDatabase(
  dataDir: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<EmbeddedDatabase> {
  await ensureDataDir(dataDir);
  const layout = await layoutOf(dataDir);
  const closing = new AbortController();
  let running = await ensureRunning(layout, signal);
  logger.info({ postgresPid: running.pid }, 'PostgreSQL runs');
  const supervised = (async () => {
    while (!closing.signal.aborted) {
      await running.keeper.lost;
      running = (await restart(layout, logger, closing.signal)) ?? running;
    }
  })();

  return {
    url: urlOf(layout),
    async close() {
      closing.abort();
      // This ends the keeper's connection too, even where a frozen PostgreSQL would never have answered a good-bye.
      await stopRunning(layout);
      await supervised;
    },
    abandon: () => void sendSignal(running.pid, 'SIGQUIT'),
  };
}

/**
 * Stops the PostgreSQL of `dataDir`, whoever started it, and removes its socket: what is left to do for a cell that
 * was killed. A no-op when none runs or the folder does not exist; bounded to about 5 s.
 */
export async function stopDatabase(dataDir: string): Promise<void> {
  const layout = await layoutOf(dataDir).catch(() => null);
  if (layout !== null) await stopRunning(layout);
}

/** The numbers of the PostgreSQL processes of `dataDir`, the postmaster first; none when it does not run. */
export async function databasePids(dataDir: string): Promise<number[]> {
  return postgresPids((await layoutOf(dataDir)).pgData);
}

/** PostgreSQL running again after it was lost, tried until it does; null when `closing` comes first. */
async function restart(layout: Layout, logger: Logger, closing: AbortSignal): Promise<Running | null> {
  for (let retryMs = RETRY_FIRST_MS; !closing.aborted; retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)) {
    logger.error('PostgreSQL was lost; bringing it back');
    try {
      return await ensureRunning(layout, closing);
    } catch (error) {
      if (closing.aborted) return null;
      logger.error({ err: error, retryMs }, 'PostgreSQL does not start');
    }
    await pause(retryMs, undefined, { signal: closing }).catch(() => undefined);
  }
  return null;
}
