// What operators do on purpose: each takes a token, a reason, an owner and an end, and each is an event.
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import type { Monitor } from '../health/monitor.ts';
import type { Store } from '../health/store.ts';
import { authorize } from './auth.ts';
import { routeCutOvers } from './cut-over.ts';
import { routePins } from './pins.ts';
import { problem } from './problem.ts';
import { routeQuarantine } from './quarantine.ts';
import { routeShares } from './shares.ts';

export type OperationParts = { config: Config; fleets: FleetHolder; monitor: Monitor; store: Store };

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the token that came with it; empty where none is asked for. */
    actor: string;
  }
}

const REFUSED = {
  'admin-disabled': 'No ADMIN_TOKEN is configured: nothing can be changed here.',
  'admin-unauthorized': 'A bearer token of ADMIN_TOKEN is needed.',
} as const;

/** Adds the operations to the admin server. Nothing of a request is read before its token was. */
export function routeOperations(server: FastifyInstance, parts: OperationParts): void {
  server.decorateRequest('actor', '');
  server.register(async (scope) => {
    scope.addHook('onRequest', (request, reply, done) => {
      const auth = authorize(request.headers.authorization, parts.config.ADMIN_TOKEN);
      if ('refused' in auth) {
        problem(reply, auth.refused, REFUSED[auth.refused]);
        return;
      }
      request.actor = auth.actor;
      done();
    });
    takeEmptyBodies(scope);
    routeShares(scope, parts);
    routePins(scope, parts);
    routeQuarantine(scope, parts);
    routeCutOvers(scope, parts);
  });
}

/** Clients that say what a body is of send none all the same, where none is needed. */
function takeEmptyBodies(scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser('error', 'error');
  scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}
