// What the cell says of itself: up, slow or down, with its database really asked.
import type { FastifyInstance } from 'fastify';
import type { Database } from '../database.ts';

/** Slower than this the database is there but not well. */
const DEGRADED_MS = 150;

const answer = {
  type: 'object',
  // The contract's levels add members.
  additionalProperties: true,
  properties: {
    cell: { type: 'string' },
    version: { type: 'string' },
    status: { type: 'string', enum: ['ok', 'degraded', 'down'] },
  },
} as const;

type Check = { status: 'ok' | 'degraded' | 'down'; latencyMs: number | null };

/** `GET /health`: 200 for `ok` and `degraded`, 503 for `down`. Needs no tenant. */
export function healthRoute(
  app: FastifyInstance,
  cell: { cellId: string; version: string; database: Database },
): void {
  let last: Check['status'] = 'ok';
  app.get('/health', { schema: { response: { 200: answer, 503: answer } } }, async (_request, reply) => {
    const { error, ...check } = await checkDatabase(cell.database);
    if (check.status !== last)
      app.log.warn({ err: error, status: check.status }, 'health of the database changed');
    last = check.status;
    return reply
      .code(check.status === 'down' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send({
        cell: cell.cellId,
        version: cell.version,
        status: check.status,
        checks: { database: check },
      });
  });
}

async function checkDatabase(database: Database): Promise<Check & { error?: unknown }> {
  try {
    const latencyMs = Math.round((await database.ping()) * 10) / 10;
    return { status: latencyMs > DEGRADED_MS ? 'degraded' : 'ok', latencyMs };
  } catch (error) {
    return { status: 'down', latencyMs: null, error };
  }
}
