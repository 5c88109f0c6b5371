// The cell's HTTP server: its limits, its error answers, its routes.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { CellConfig } from './config.ts';
import { contract } from './contract/contract.ts';
import { installErrors } from './errors.ts';
import { checksOf } from './health.ts';
import type { CellMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { operatorsRoutes } from './routes/operators.ts';
import { ordersRoutes } from './routes/orders.ts';
import { streamRoutes } from './routes/streams.ts';
import type { Stack } from './stack.ts';
import { admitGuest, admitHome, isWrite } from './standby/admission.ts';
import { positionOf, rulesBesideRows, untilApplied } from './standby/level-two.ts';

export type AppParts = {
  config: Pick<
    CellConfig,
    'cellId' | 'version' | 'cellToken' | 'asleepMs' | 'guestPolicy' | 'maxStandbyLagS'
  >;
  stack: Stack;
  metrics: CellMetrics;
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
  await speakContract(app, cell);
  await describeApi(app, cell.config.version);
  const { homes, recovery } = cell.stack;
  ordersRoutes(app, { ...cell, homes });
  operatorsRoutes(app, { ...cell, homes, recovery, token: cell.config.cellToken });
  await streamRoutes(app);
  return app;
}

/** Levels 0 to 2, and whether the database that a request needs may be used for it now. */
async function speakContract(app: FastifyInstance, { config, stack }: AppParts): Promise<void> {
  const { cellId, version, cellToken, asleepMs, guestPolicy, maxStandbyLagS } = config;
  const { homes, pair, recovery, confirmation, database } = stack;
  await app.register(contract, {
    cell: cellId,
    version,
    token: cellToken,
    asleepMs,
    checks: checksOf(database, () => recovery.servesNobody, app.log),
    more: () => {
      const caughtUp = pair.caughtUp(app.contract.ruleOf(cellId)?.neighbour ?? null);
      return { standbys: pair.standings(), ...(caughtUp === null ? {} : { caughtUp }) };
    },
    rules: rulesBesideRows(homes, (rule) => recovery.mayTake(rule)),
    position: (rule) => positionOf(homes, cellId, rule),
    applied: (rule, position, signal) => untilApplied(homes, rule, position, signal, pair),
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.is404 || request.routeOptions.config.contract === false) return done();
    const { home, role } = request.whose;
    const writes = isWrite(request.method);
    if (role === 'home') admitHome(recovery.servesNobody, confirmation?.confirms ?? null, writes);
    else
      admitGuest(pair.standingOf(home), writes, {
        policy: guestPolicy,
        maxLagS: maxStandbyLagS,
      });
    done();
  });
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
