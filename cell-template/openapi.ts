// GET /openapi.json: the API as it is served, made of the schemas by which requests are validated and answers written.
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

/** Any refusal of the cell (RFC 9457). */
export const problem = {
  description: 'A refusal: `code` is stable.',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string' },
        },
      },
    },
  },
} as const;

/** What every tenant's route may answer beside its own: refusals of the client's doing, and of the cell's. */
export const refusals = { '4xx': problem, '5xx': problem } as const;

/** The header that names the tenant; it is validated by `tenantOf`, not by this. */
export const tenantHeader = {
  type: 'object',
  properties: { 'x-tenant-id': { type: 'string', description: '1 to 128 bytes of UTF-8. Required.' } },
} as const;

/** Before all routes: it describes those that come after it. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Template cell', version, description: 'Orders of tenants, from one cell.' },
    },
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { contract: false } }, () => app.swagger());
}
