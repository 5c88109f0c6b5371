// Cut-overs: buckets and tenants that the fleet file is to move get their new home, by a handover between the two.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { outstandingIn, rangesFor } from '../cut-over.ts';
import type { Range } from '../health/verdicts/moved.ts';
import { findHome } from '../find-home.ts';
import type { Change } from '../health/store.ts';
import { cutOverBody, readBody, type CutOverBody } from './bodies.ts';
import { carryOutEach, refuse } from './carry-out.ts';
import { describeRecord } from './describe.ts';
import type { OperationParts } from './operations.ts';
import { problem } from './problem.ts';

type Moving = { buckets: Range[]; tenants: string[] };

/** What of a request is still to move from one home: so many buckets or tenants. */
type Part = { home: string; count: number; moving: () => Moving };

type Found = { parts: Part[] } | { refused: 'admin-invalid' | 'store-unavailable'; detail: string };

const NOT_KNOWN = 'The store has never told what was cut over already.';

/** Adds the request to a server that lets nobody through without a token. */
export function routeCutOvers(server: FastifyInstance, parts: OperationParts): void {
  server.post('/v1/buckets/cut-over', async ({ body, actor }, reply) => {
    const read = readBody(cutOverBody, body, reply);
    return 'sent' in read ? read.sent : await cutOver(parts, read.body, actor, reply);
  });
}

/**
 * By a handover between the old home and the new one; where they are at several homes, one after another. What is cut
 * over already is answered as done.
 */
async function cutOver(
  parts: OperationParts,
  body: CutOverBody,
  actor: string,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { config, fleets, monitor, store } = parts;
  const { placement } = fleets.active;
  const unknown = [body.to, body.from].find((cell) => cell !== undefined && !placement.cells.includes(cell));
  if (unknown !== undefined) return problem(reply, 'admin-invalid', `${unknown} is no cell of the fleet.`);
  // A router that goes by another file could not tell who is at home where.
  if (monitor.fleetDigests > 1 || fleets.loadedDigest !== fleets.active.digest) {
    return refuse(reply, { refused: 'other-fleets', rule: null });
  }
  const found =
    body.buckets === undefined ? findTenants(parts, body) : findBuckets(parts, body, body.buckets);
  if ('refused' in found) return problem(reply, found.refused, found.detail);
  const parted = found.parts
    .filter(({ home }) => body.from === undefined || home === body.from)
    .sort((a, b) => (a.home < b.home ? -1 : 1));
  const { to, reason, owner = actor, override } = body;
  const { requiresStandby } = fleets.active;
  const changes = parted.map(({ home, moving }) => (): Change => ({
    home,
    neighbour: placement.neighbourOf(home),
    // Only now: what was cut over just before is on record.
    wish: { kind: 'cut-over', to, ...moving(), generation: placement.generations },
    cause: 'move',
    actor,
    reason,
    owner,
    expiresInMs: 0,
    handoverMs: config.HANDOVER_MS,
    requiresStandby,
    override,
  }));
  const answer = await carryOutEach(reply, { monitor, store }, changes);
  if ('sent' in answer) return answer.sent;
  const moved = parted.map(({ home, count }) => ({ from: home, count }));
  return reply.send({ to, moved, records: answer.records.map(describeRecord) });
}

function findBuckets({ fleets, monitor }: OperationParts, { to }: CutOverBody, ranges: Range[]): Found {
  const { placement } = fleets.active;
  const { byHome, unknown } = outstandingIn(placement, monitor, to, ranges);
  if (unknown > 0) return { refused: 'store-unavailable', detail: NOT_KNOWN };
  const parts = [...byHome].map(([home, buckets]): Part => {
    const moving = (): Moving => ({
      buckets: rangesFor(placement, monitor, { from: home, to, buckets }),
      tenants: [],
    });
    return { home, count: buckets.length, moving };
  });
  return { parts };
}

function findTenants({ fleets, monitor }: OperationParts, { to, tenants = [] }: CutOverBody): Found {
  const byHome = new Map<string, string[]>();
  for (const tenant of new Set(tenants)) {
    const location = fleets.active.placement.locate(tenant);
    if (location.unsettled?.tenant !== tenant || location.pin !== to) {
      const detail = `${tenant}: the fleet file has no pin to ${to} that is not settled.`;
      return { refused: 'admin-invalid', detail };
    }
    const found = findHome(location, monitor);
    if ('refusal' in found) return { refused: 'store-unavailable', detail: NOT_KNOWN };
    if (found.home !== to) byHome.set(found.home, [...(byHome.get(found.home) ?? []), tenant]);
  }
  const parts = [...byHome].map(([home, ofHome]): Part => ({
    home,
    count: ofHome.length,
    moving: () => ({ buckets: [], tenants: ofHome }),
  }));
  return { parts };
}
