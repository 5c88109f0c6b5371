// What operators do on purpose: each takes a token, a reason, an owner and an end, and each is an event.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { faultLine, faultsOf } from '../faults.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import type { Monitor } from '../health/monitor.ts';
import { StoreUnavailable, type Store } from '../health/store.ts';
import { authorize } from './auth.ts';
import { describeRecord } from './describe.ts';
import { problem } from './problem.ts';

export type OperationParts = { config: Config; fleets: FleetHolder; monitor: Monitor; store: Store };

/** A week: what is meant to last for longer belongs into the fleet file. */
const LONGEST_S = 604_800;

const words = (name: string) => {
  const allowed = `(allowed: 1–200 characters)`;
  return z
    .string(`${name} is missing ${allowed}`)
    .trim()
    .min(1, `empty ${allowed}`)
    .max(200, `too long ${allowed}`);
};

const failOverBody = z.strictObject({
  percent: z.literal(100, 'not possible (allowed: 100)').optional(),
  reason: words('a reason'),
  owner: words('an owner'),
  expiresIn: z
    .int(`missing or not whole seconds (allowed: 1–${LONGEST_S})`)
    .min(1, `out of range (allowed: 1–${LONGEST_S})`)
    .max(LONGEST_S, `out of range (allowed: 1–${LONGEST_S})`),
  override: z
    .array(z.string().max(64), 'not a list (allowed: names of safety rules)')
    .max(16)
    .default(() => []),
});

const WHY = {
  'no-neighbour': 'This cell has no neighbour.',
  'target-away': "The neighbour's own tenants are at this cell.",
  'target-down': 'The neighbour is not up.',
  'target-drained': 'The neighbour is drained.',
} as const;

/** Adds the operations to the admin server. */
export function routeOperations(server: FastifyInstance, parts: OperationParts): void {
  server.post<{ Params: { id: string } }>('/v1/cells/:id/fail-over', async (request, reply) => {
    const auth = authorize(request.headers.authorization, parts.config.ADMIN_TOKEN);
    if ('refused' in auth) return refuseUnauthorized(reply, auth.refused);
    return await failOver(request, reply, parts, auth.actor);
  });
}

function refuseUnauthorized(
  reply: FastifyReply,
  code: 'admin-disabled' | 'admin-unauthorized',
): FastifyReply {
  return code === 'admin-disabled'
    ? problem(reply, code, 'No ADMIN_TOKEN is configured: nothing can be changed here.')
    : problem(reply, code, 'A bearer token of ADMIN_TOKEN is needed.');
}

/** At once, like a verdict; the epoch rises, and it ends by itself after `expiresIn` seconds. */
async function failOver(
  request: FastifyRequest<{ Params: { id: string } }>,
  reply: FastifyReply,
  { fleets, monitor, store }: OperationParts,
  actor: string,
): Promise<FastifyReply> {
  const { placement } = fleets.active;
  const home = request.params.id;
  if (!placement.cells.includes(home)) return problem(reply, 'not-found', 'There is no such cell.');
  const body = failOverBody.safeParse(request.body);
  if (!body.success) return problem(reply, 'admin-invalid', faultsOf(body.error).map(faultLine).join('; '));
  const { reason, owner, expiresIn, override } = body.data;
  const neighbour = placement.neighbourOf(home);
  try {
    const wish = { home, neighbour, actor, reason, owner, expiresInMs: expiresIn * 1000, override };
    const answer = await store.failOver(wish);
    // Asked for the second time it is away already, and the record is answered as it stands.
    if ('record' in answer) {
      // This router acts on it now; the others hear of it as of any verdict.
      monitor.learn(answer.record);
      return reply.send(describeRecord(answer.record));
    }
    if (answer.refused === 'not-found') {
      return problem(reply, 'store-unavailable', 'No router has told the store of this cell yet.');
    }
    return problem(reply, 'safety-rule', WHY[answer.refused], { rule: answer.rule ?? answer.refused });
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return problem(reply, 'store-unavailable', 'The store of the verdicts does not answer.');
  }
}
