// Stands in for the contract's plugin: every tenant is this cell's own, under epoch 1.
import type { FastifyInstance } from 'fastify';
import type { Contract } from './contract-view.ts';
import { tenantOf } from './tenant.ts';

declare module 'fastify' {
  interface FastifyRequest {
    whose: { tenant: string; home: string; role: 'home' | 'guest'; epoch: number };
  }
}

export function allOwn(cellId: string): Contract {
  return {
    isOwn: () => true,
    mayServe: (home) => home === cellId,
    epochOf: () => 1,
    begin: () => () => undefined,
    learn: () => undefined,
    onRule: () => undefined,
  };
}

/** Says whose each request is that names a tenant. */
export function sayWhose(app: FastifyInstance, cellId: string): void {
  app.decorateRequest('whose');
  app.addHook('preValidation', (request, _reply, done) => {
    if (!request.url.startsWith('/orders')) return done();
    const home = request.headers['x-cell-home'];
    request.whose = {
      tenant: tenantOf(request),
      home: typeof home === 'string' ? home : cellId,
      role: 'home',
      epoch: 1,
    };
    done();
  });
}
