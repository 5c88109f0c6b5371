// GET /health: how the service is, and which rules it knows.
import type { FastifyInstance } from 'fastify';
import type { Fence } from './fence.ts';

export type Health = {
  /** `degraded`: it serves, but not well. `down`: it is to be failed over. */
  status: 'ok' | 'degraded' | 'down';
  /** What was looked at, by name. */
  checks: Record<string, unknown>;
};

type Parts = {
  cell: string;
  version: string;
  fence: Fence;
  /** Looks whether the rules that may be stored were read. */
  recall: () => void;
  checks: () => Promise<Health>;
  more: () => Record<string, unknown>;
};

/** 200 for `ok` and `degraded`, 503 for `down`. Needs no tenant. */
export function healthRoute(app: FastifyInstance, parts: Parts): void {
  const { cell, version, fence, recall, more } = parts;
  app.get('/health', { config: { contract: false } }, async (request, reply) => {
    recall();
    const { status, checks } = await parts.checks().catch((error: unknown): Health => {
      request.log.error({ err: error }, 'the checks of the health failed');
      return { status: 'down', checks: {} };
    });
    return reply
      .code(status === 'down' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send({ cell, version, status, checks, ...more(), ...fence.describe() });
  });
}
