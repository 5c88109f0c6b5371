// How much of a cell is away on purpose: the drain and its end, the way home by hand, and the failover by hand.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import {
  drainBody,
  drainEndBody,
  failOverBody,
  readBody,
  restoreBody,
  type EndBody,
  type StayBody,
} from './bodies.ts';
import { carryOut, refuse, storeUnavailable } from './carry-out.ts';
import { describeRecord } from './describe.ts';
import type { OperationParts } from './operations.ts';
import { problem } from './problem.ts';

type OfCell = FastifyRequest<{ Params: { id: string } }>;
type Asked<T> = { home: string; actor: string; body: T; reply: FastifyReply };

/** Adds the requests to a server that lets nobody through without a token. */
export function routeShares(server: FastifyInstance, parts: OperationParts): void {
  const { monitor } = parts;
  server.post('/v1/cells/:id/drain', async (request: OfCell, reply) => {
    const asked = readAsked(parts, drainBody, request, reply);
    return 'sent' in asked ? asked.sent : await setShare(parts, asked, asked.body.percent);
  });
  server.delete('/v1/cells/:id/drain', async (request: OfCell, reply) => {
    const asked = readAsked(parts, drainEndBody, request, reply);
    if ('sent' in asked) return asked.sent;
    const { share, cause } = monitor.recordOf(asked.home);
    const ofOperators = share === 0 || cause === 'operator' || cause === 'expired';
    if (ofOperators) return await setShare(parts, asked, 0);
    return problem(reply, 'safety-rule', 'No operator sent them away. Restore is what brings them home.', {
      rule: 'already-away',
    });
  });
  server.post('/v1/cells/:id/restore', async (request: OfCell, reply) => {
    const asked = readAsked(parts, restoreBody, request, reply);
    return 'sent' in asked ? asked.sent : await setShare(parts, asked, 0);
  });
  server.post('/v1/cells/:id/fail-over', async (request: OfCell, reply) => {
    const asked = readAsked(parts, failOverBody, request, reply);
    return 'sent' in asked ? asked.sent : await failOver(parts, asked);
  });
}

function readAsked<T>(
  { fleets }: OperationParts,
  schema: z.ZodType<T>,
  request: OfCell,
  reply: FastifyReply,
): Asked<T> | { sent: FastifyReply } {
  const home = request.params.id;
  if (!fleets.active.placement.cells.includes(home)) {
    return { sent: problem(reply, 'not-found', 'There is no such cell.') };
  }
  const read = readBody(schema, request.body, reply);
  return 'sent' in read ? read : { home, actor: request.actor, body: read.body, reply };
}

/** By a handover; a share of 0 does not end. */
async function setShare(
  { config, fleets, monitor, store }: OperationParts,
  { home, actor, body, reply }: Asked<EndBody | StayBody>,
  percent: number,
): Promise<FastifyReply> {
  const { reason, owner = actor, override } = body;
  return await carryOut(
    reply,
    { monitor, store },
    {
      home,
      neighbour: fleets.active.placement.neighbourOf(home),
      wish: { kind: 'share', percent },
      cause: 'operator',
      actor,
      reason,
      owner,
      expiresInMs: 'expiresIn' in body ? body.expiresIn * 1000 : 0,
      handoverMs: config.HANDOVER_MS,
      requiresStandby: fleets.active.requiresStandby,
      override,
    },
  );
}

/** At once, like a verdict; the epoch rises, and it ends by itself after `expiresIn` seconds. */
async function failOver(
  { fleets, monitor, store }: OperationParts,
  { home, actor, body, reply }: Asked<StayBody>,
): Promise<FastifyReply> {
  const { reason, owner, expiresIn, override } = body;
  const { placement, requiresStandby } = fleets.active;
  const neighbour = placement.neighbourOf(home);
  try {
    const ends = { owner, expiresInMs: expiresIn * 1000 };
    const wish = { home, neighbour, actor, reason, ...ends, requiresStandby, override };
    const answer = await store.failOver(wish);
    if (!('record' in answer)) return refuse(reply, answer);
    // This router acts on it now; the others hear of it as of any verdict.
    monitor.learn(answer.record);
    return reply.send(describeRecord(answer.record));
  } catch (error) {
    return storeUnavailable(reply, error);
  }
}
