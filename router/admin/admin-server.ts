// The second port: liveness, readiness, metrics, and what operators ask of cells, tenants and events.
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { explain } from '../explain.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import { isEventId } from '../health/event-id.ts';
import type { Monitor } from '../health/monitor.ts';
import type { Store } from '../health/store.ts';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
import { describeCells, describeEvent } from './describe.ts';
import { routeOperations } from './operations.ts';
import { routePlan } from './plan.ts';
import { problem } from './problem.ts';
import { routeQuarantineReports } from './quarantine.ts';

export type AdminParts = {
  config: Config;
  fleets: FleetHolder;
  monitor: Monitor;
  store: Store;
  metrics: () => Registry | Promise<Registry>;
};

const EVENTS_DEFAULT = 100;
const EVENTS_MOST = 1_000;
/** A tenant of 128 bytes, each percent-encoded. */
const LONGEST_PARAMETER = 512;

export class AdminServer {
  readonly #fastify: FastifyInstance;
  readonly #parts: AdminParts;
  #draining = false;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#fastify = fastify({
      logger: false,
      forceCloseConnections: true,
      return503OnClosing: false,
      requestTimeout: 10_000,
      routerOptions: { maxParamLength: LONGEST_PARAMETER },
      // What fails before any route is found: a broken encoding, a parameter beyond all bounds.
      frameworkErrors: (_, __, reply) => {
        problem(reply, 'admin-invalid', 'The request is malformed.');
      },
    });
    this.#fastify.setNotFoundHandler((_, reply) => problem(reply, 'not-found', 'There is nothing here.'));
    this.#fastify.setErrorHandler(({ statusCode = 500 }: FastifyError, _, reply) =>
      statusCode < 500
        ? problem(reply, 'admin-invalid', 'The request is malformed.')
        : problem(reply, 'internal-error', 'The router could not answer.'),
    );
    this.#routeProbes();
    this.#routeReports();
    routeOperations(this.#fastify, parts);
    routeQuarantineReports(this.#fastify, parts);
    routePlan(this.#fastify, parts);
  }

  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  async listen(): Promise<string> {
    const { ADMIN_HOST: host, ADMIN_PORT: port } = this.#parts.config;
    return await this.#fastify.listen({ host, port });
  }

  /** From now on `/readyz` answers 503, so that a balancer sends no more. */
  startDraining(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    await this.#fastify.close();
  }

  #routeProbes(): void {
    this.#fastify.get('/livez', () => ({ status: 'ok' }));
    this.#fastify.get('/readyz', (_, reply) => {
      if (this.#draining) return reply.code(503).send({ status: 'draining' });
      if (!this.#parts.monitor.ready) return reply.code(503).send({ status: 'starting' });
      return { status: 'ready' };
    });
    this.#fastify.get('/metrics', async (_, reply) => {
      const registry = await this.#parts.metrics();
      return reply.type(registry.contentType).send(await registry.metrics());
    });
  }

  #routeReports(): void {
    const { fleets, monitor } = this.#parts;
    this.#fastify.get('/v1/cells', () => ({
      cells: describeCells(fleets.active, monitor),
      knowledgeAgeMs: monitor.knowledgeAgeMs === null ? null : Math.round(monitor.knowledgeAgeMs),
      held: monitor.held,
      convergence: monitor.convergence,
    }));
    this.#fastify.get<{ Params: { tenant: string } }>('/v1/tenants/:tenant', ({ params }, reply) => {
      if (!isTenantId(params.tenant)) {
        return problem(reply, 'admin-invalid', `Not a tenant ID. Allowed: ${TENANT_ID_ALLOWED}.`);
      }
      return explain(params.tenant, fleets.active, monitor);
    });
    this.#fastify.get<{ Querystring: { limit?: unknown; after?: unknown } }>(
      '/v1/events',
      ({ query }, reply) => this.#events(query, reply),
    );
  }

  async #events(query: { limit?: unknown; after?: unknown }, reply: FastifyReply): Promise<unknown> {
    const limit = query.limit === undefined ? EVENTS_DEFAULT : Number(query.limit);
    const { after } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > EVENTS_MOST) {
      return problem(reply, 'admin-invalid', `limit: allowed are 1–${EVENTS_MOST}.`);
    }
    if (after !== undefined && (typeof after !== 'string' || !isEventId(after))) {
      return problem(reply, 'admin-invalid', 'after: allowed is the id of an event.');
    }
    try {
      const events = await this.#parts.store.events(limit, after);
      return { events: events.map(describeEvent) };
    } catch {
      return problem(reply, 'store-unavailable', 'The store of the events does not answer.');
    }
  }
}
