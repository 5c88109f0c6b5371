// Run-time pins: one tenant at its home or at its neighbour, whatever the share of the others.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
import { pinBody, readBody, unpinBody, type EndBody, type StayBody } from './bodies.ts';
import { carryOut } from './carry-out.ts';
import type { OperationParts } from './operations.ts';
import { problem } from './problem.ts';

type OfTenant = FastifyRequest<{ Params: { tenant: string } }>;

/** Adds the requests to a server that lets nobody through without a token. */
export function routePins(server: FastifyInstance, parts: OperationParts): void {
  const path = '/v1/pins/:tenant';
  server.put(path, async (request: OfTenant, reply) => {
    if (!isTenantId(request.params.tenant)) return refuseTenant(reply);
    const read = readBody(pinBody, request.body, reply);
    if ('sent' in read) return read.sent;
    const { cell } = read.body;
    if (!parts.fleets.active.placement.cells.includes(cell)) {
      return problem(reply, 'admin-invalid', 'cell: unknown (allowed: the home, or its neighbour)');
    }
    return await pin(parts, request, reply, cell, read.body);
  });
  server.delete(path, async (request: OfTenant, reply) => {
    if (!isTenantId(request.params.tenant)) return refuseTenant(reply);
    const read = readBody(unpinBody, request.body, reply);
    return 'sent' in read ? read.sent : await pin(parts, request, reply, null, read.body);
  });
}

function refuseTenant(reply: FastifyReply): FastifyReply {
  return problem(reply, 'admin-invalid', `Not a tenant ID. Allowed: ${TENANT_ID_ALLOWED}.`);
}

/** By a handover of this one tenant; `cell` null: it goes where the others of its home are. */
async function pin(
  { config, fleets, monitor, store }: OperationParts,
  { params: { tenant }, actor }: OfTenant,
  reply: FastifyReply,
  cell: string | null,
  body: EndBody | StayBody,
): Promise<FastifyReply> {
  const { reason, owner = actor, override } = body;
  const ownHome = monitor.homeOf(tenant);
  const home = cell === null ? homeOfPin({ fleets, monitor }, tenant, ownHome) : ownHome;
  if (home === null) {
    return problem(reply, 'store-unavailable', 'The store has never told which cell has the tenant now.');
  }
  return await carryOut(
    reply,
    { monitor, store },
    {
      home,
      neighbour: fleets.active.placement.neighbourOf(home),
      wish: { kind: 'pin', tenant, cell },
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

/**
 * The home whose record has a pin of the tenant: its own before any other. One that lives elsewhere since, by another fleet
 * file, may have left its pin behind. Its own home where none has.
 */
function homeOfPin(
  { fleets, monitor }: Pick<OperationParts, 'fleets' | 'monitor'>,
  tenant: string,
  ownHome: string | null,
): string | null {
  const hasPin = (home: string): boolean => Object.hasOwn(monitor.recordOf(home).pins, tenant);
  if (ownHome !== null && hasPin(ownHome)) return ownHome;
  return fleets.active.placement.cells.find(hasPin) ?? ownHome;
}
