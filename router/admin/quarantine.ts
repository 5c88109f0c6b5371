// The quarantine at the admin port: who is refused, and who is to be, or to be no more.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { QuarantineEntry } from '../health/verdicts/quarantine.ts';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
import { quarantineBody, readBody, releaseBody, type ReleaseBody } from './bodies.ts';
import { storeUnavailable } from './carry-out.ts';
import type { OperationParts } from './operations.ts';
import { problem } from './problem.ts';

type OfTenant = FastifyRequest<{ Params: { tenant: string } }>;

const PATH = '/v1/quarantine/:tenant';

/** Adds the questions, as this router knows the list: nobody needs a token for them. */
export function routeQuarantineReports(server: FastifyInstance, { monitor }: OperationParts): void {
  server.get('/v1/quarantine', () => ({ quarantine: monitor.quarantine.entries.map(describeEntry) }));
  server.get(PATH, ({ params: { tenant } }: OfTenant, reply) => {
    if (!isTenantId(tenant)) return refuseTenant(reply);
    const entry = monitor.quarantine.of(tenant);
    return entry === null ? notThere(reply) : reply.send(describeEntry(entry));
  });
}

/** Adds the changes to a server that lets nobody through without a token. Each is in force here when it is answered. */
export function routeQuarantine(server: FastifyInstance, parts: OperationParts): void {
  server.put(PATH, async (request: OfTenant, reply) => {
    if (!isTenantId(request.params.tenant)) return refuseTenant(reply);
    const read = readBody(quarantineBody, request.body, reply);
    return 'sent' in read ? read.sent : await quarantine(parts, request, reply, read.body);
  });
  server.delete(PATH, async (request: OfTenant, reply) => {
    if (!isTenantId(request.params.tenant)) return refuseTenant(reply);
    const read = readBody(releaseBody, request.body, reply);
    return 'sent' in read ? read.sent : await release(parts, request, reply, read.body);
  });
}

async function quarantine(
  { fleets, monitor, store }: OperationParts,
  { params: { tenant }, actor }: OfTenant,
  reply: FastifyReply,
  { reason, owner, expiresIn }: { reason: string; owner: string; expiresIn: number },
): Promise<FastifyReply> {
  // Where nobody can tell its home for certain, it is refused all the same.
  const home = monitor.homeOf(tenant) ?? fleets.active.placement.locate(tenant).home;
  try {
    const wish = { tenant, home, actor, reason, owner, expiresInMs: expiresIn * 1000 };
    const answer = await store.quarantine(wish);
    if ('refused' in answer) {
      return problem(reply, 'quarantine-full', 'As many tenants are quarantined as can be.');
    }
    monitor.quarantine.learn(tenant, answer.entry);
    return reply.send(describeEntry(answer.entry));
  } catch (error) {
    return storeUnavailable(reply, error);
  }
}

async function release(
  { monitor, store }: OperationParts,
  { params: { tenant }, actor }: OfTenant,
  reply: FastifyReply,
  { reason, owner = actor }: ReleaseBody,
): Promise<FastifyReply> {
  try {
    const answer = await store.unquarantine({ tenant, actor, reason, owner });
    monitor.quarantine.learn(tenant, null);
    return 'refused' in answer ? notThere(reply) : reply.send(describeEntry(answer.entry));
  } catch (error) {
    return storeUnavailable(reply, error);
  }
}

function describeEntry({ tenant, home, since, until, actor, owner, reason }: QuarantineEntry) {
  const [begun, ends] = [since, until].map((ms) => new Date(ms).toISOString());
  return { tenant, home, since: begun, until: ends, actor, owner, reason };
}

function refuseTenant(reply: FastifyReply): FastifyReply {
  return problem(reply, 'admin-invalid', `Not a tenant ID. Allowed: ${TENANT_ID_ALLOWED}.`);
}

function notThere(reply: FastifyReply): FastifyReply {
  return problem(reply, 'not-found', 'This tenant is not quarantined.');
}
