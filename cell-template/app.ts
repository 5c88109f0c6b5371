// The cell's HTTP server: its limits, its error answers, its routes.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { sayWhose } from './contract-stand-in.ts';
import type { Contract } from './contract-view.ts';
import type { Database } from './database.ts';
import { installErrors } from './errors.ts';
import type { Homes } from './homes.ts';
import type { CellMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { healthRoute } from './routes/health.ts';
import { operatorsRoutes } from './routes/operators.ts';
import { ordersRoutes } from './routes/orders.ts';
import { streamRoutes } from './routes/streams.ts';

export type AppParts = {
  cellId: string;
  version: string;
  /** The cell's own: what `/health` asks. */
  database: Database;
  homes: Homes;
  contract: Contract;
  metrics: CellMetrics;
  /** `CELL_TOKEN`; null: none. */
  token: string | null;
  logger: Logger;
  /** Told after each committed write in the database of `home`. */
  onWrite: (home: string) => void;
};

/**
 * The server, ready to listen. `close()` stops accepting, ends event streams and WebSockets, and waits for requests
 * in flight; bounding that wait is up to the caller.
 */
export async function buildApp(cell: AppParts): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: warningsOf(cell.logger),
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: 'x-request-id',
    bodyLimit: 1_048_576,
    // Head and body of a request, not its answer: event streams live longer.
    requestTimeout: 30_000,
    // Well above the 4 s for which a router keeps an idle connection: the router closes it, never the cell under it.
    keepAliveTimeout: 72_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    // What still arrives on an open connection while the cell stops is served, with `connection: close`.
    return503OnClosing: false,
    // A body is what it says it is: "1" is no number, and an unknown member is a mistake of the client.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  app.removeContentTypeParser('text/plain');
  installErrors(app);
  announceClose(app);
  app.addHook('onResponse', (_request, reply, done) => {
    cell.metrics.countAnswer(reply.statusCode);
    done();
  });
  sayWhose(app, cell.cellId);
  await describeApi(app, cell.version);
  healthRoute(app, cell);
  ordersRoutes(app, cell);
  operatorsRoutes(app, cell);
  await streamRoutes(app);
  return app;
}

/** Answers sent while the cell stops tell the client not to use the connection again (RFC 9112, section 9.6). */
function announceClose(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
}

/** Fastify announces each address it listens on; the cell says once that it listens, and where. */
function warningsOf(logger: Logger): FastifyBaseLogger {
  return logger.child({}, { level: logger.isLevelEnabled('warn') ? 'warn' : logger.level });
}
