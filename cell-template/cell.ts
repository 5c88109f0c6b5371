// The life of a cell: its parts brought up in order, taken down in reverse.
import { once } from 'node:events';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino, type Logger } from 'pino';
import { buildApp } from './app.ts';
import type { CellConfig, DatabasePlace } from './config.ts';
import { messageOf } from './errors.ts';
import { CellMetrics } from './metrics.ts';
import { startDatabase, type EmbeddedDatabase } from './postgres/embedded.ts';
import { Queue } from './queue/queue.ts';
import { openStack } from './stack.ts';

const MIGRATIONS = join(import.meta.dirname, 'migrations');
/** Requests still in flight this long after the signal are cut. */
const DRAIN_LIMIT_MS = 4_000;
const SWEEP_MS = 50;

type Cleanup = () => Promise<void>;
/** What a stop has to take down so far: filled while the cell starts, emptied in reverse. */
type Parts = { cleanups: Cleanup[]; embedded: EmbeddedDatabase | null };

/**
 * Runs a cell until SIGTERM or SIGINT, and answers its exit code: 0 after a graceful stop, 1 when it could not start
 * (the reason is on stderr). A second signal ends the process at once with 1, PostgreSQL with it.
 */
export async function runCell(config: CellConfig): Promise<number> {
  const logger = pino({ level: config.logLevel, base: { cell: config.cellId } });
  const parts: Parts = { cleanups: [], embedded: null };
  const stop = onStopSignal(() => parts.embedded?.abandon());
  try {
    await start(config, logger, parts, stop);
    if (!stop.aborted) await once(stop, 'abort');
    logger.info('cell stopping');
    return 0;
  } catch (error) {
    if (stop.aborted) return 0;
    process.stderr.write(`cell ${config.cellId} cannot start: ${explain(error, config)}\n`);
    return 1;
  } finally {
    for (const cleanup of parts.cleanups.reverse())
      await cleanup().catch((error: unknown) => logger.error({ err: error }, 'stopping failed'));
  }
}

async function start(config: CellConfig, logger: Logger, parts: Parts, stop: AbortSignal): Promise<void> {
  const url = await databaseUrl(config.database, logger, parts, stop);
  stop.throwIfAborted();
  const stack = await openStack(config, url, MIGRATIONS, logger, (end) => parts.cleanups.push(end));
  stop.throwIfAborted();

  const metrics = new CellMetrics();
  let queue: Queue | null = null;
  const app = await buildApp({
    config,
    stack,
    metrics,
    logger,
    onWrite: (home) => queue?.nudge(home),
  });
  metrics.observe(stack, app.contract);
  const later = new Queue({
    cellId: config.cellId,
    homes: stack.homes,
    contract: app.contract,
    logger,
    onDone: (kind) => metrics.countJob(kind),
  });
  queue = later;
  // Side by side: what requests leave in the outbox meanwhile is done after the next start.
  parts.cleanups.push(async () => {
    await Promise.all([closeWithin(app, DRAIN_LIMIT_MS), later.stop()]);
  });
  await app.listen({ host: config.host, port: config.port });
  // Later work of a database that is half filled would be done twice.
  void stack.recovery.whole.then(() => later.start());
  const { port } = app.server.address() as AddressInfo;
  logger.info({ port }, 'cell listening');
}

async function databaseUrl(
  place: DatabasePlace,
  logger: Logger,
  parts: Parts,
  stop: AbortSignal,
): Promise<string> {
  if (place.kind === 'external') return place.url;
  const embedded = await startDatabase(place.dataDir, logger, stop);
  parts.embedded = embedded;
  parts.cleanups.push(() => embedded.close());
  return embedded.url;
}

/** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once, after `abandon`. */
function onStopSignal(abandon: () => void): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      abandon();
      process.exit(1);
    }
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return stop.signal;
}

/** `close()` itself closes only the connections that are idle when it is called, not those that become so. */
async function closeWithin(app: FastifyInstance, limitMs: number): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  const limit = setTimeout(() => app.server.closeAllConnections(), limitMs);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(limit);
  }
}

function explain(error: unknown, { host, port }: CellConfig): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `port ${port} on ${host} is in use`;
  if (code === 'EACCES')
    return `it may not listen on port ${port}, or not use its DATA_DIR (${messageOf(error)})`;
  return messageOf(error);
}
