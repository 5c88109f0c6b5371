// Cut-overs: buckets and tenants that the fleet file is to move get their new home, by a handover between the two.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { outstandingIn, rangesFor, type Range } from '../cut-over.ts';
import { findHome, lastKnownHome } from '../find-home.ts';
import type { Placement } from '../placement/placement.ts';
import { cutOverBody, readBody, type CutOverBody } from './bodies.ts';
import { carryOut, refuse } from './carry-out.ts';
import { describeRecord } from './describe.ts';
import type { OperationParts } from './operations.ts';
import { problem } from './problem.ts';

/** What of a request is still to move, by the home that it is at: so many buckets or tenants. */
type Found =
  | { byHome: Map<string, { count: number; wish: () => Moving }> }
  | { refused: 'admin-invalid' | 'store-unavailable'; detail: string };

type Moving = { buckets: Range[]; tenants: string[] };

const NOT_KNOWN = 'The store has never told what was cut over already.';

/** Adds the request to a server that lets nobody through without a token. */
export function routeCutOvers(server: FastifyInstance, parts: OperationParts): void {
  server.post('/v1/buckets/cut-over', async ({ body, actor }, reply) => {
    const read = readBody(cutOverBody, body, reply);
    return 'sent' in read ? read.sent : await cutOver(parts, read.body, actor, reply);
  });
}

/** By a handover between the two homes. What is cut over already is answered as done. */
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
  const homes = [...found.byHome.keys()].filter((home) => body.from === undefined || home === body.from);
  if (homes.length > 1) return problem(reply, 'admin-invalid', severalHomes(found.byHome));
  const [home] = homes;
  const moving = home === undefined ? undefined : found.byHome.get(home)?.wish();
  if (home === undefined || moving === undefined) {
    return reply.send(describeRecord(monitor.recordOf(body.from ?? body.to)));
  }
  const { to, reason, owner, override } = body;
  return await carryOut(
    reply,
    { monitor, store },
    {
      home,
      neighbour: placement.neighbourOf(home),
      wish: { kind: 'cut-over', to, ...moving, generation: placement.generations },
      cause: 'move',
      actor,
      reason,
      owner,
      expiresInMs: 0,
      handoverMs: config.HANDOVER_MS,
      override,
    },
  );
}

function findBuckets({ fleets, monitor }: OperationParts, { to }: CutOverBody, ranges: Range[]): Found {
  const { placement } = fleets.active;
  const { byHome, unknown } = outstandingIn(placement, monitor, to, ranges);
  if (unknown > 0) return { refused: 'store-unavailable', detail: NOT_KNOWN };
  if (byHome.size === 0 && !anyGoesTo(to, ranges, placement, monitor)) {
    return { refused: 'admin-invalid', detail: `None of these buckets is to move to ${to}, or was.` };
  }
  const moving = [...byHome].map(([from, buckets]) => {
    const wish = (): Moving => ({
      buckets: rangesFor(placement, monitor, { from, to, buckets }),
      tenants: [],
    });
    return [from, { count: buckets.length, wish }] as const;
  });
  return { byHome: new Map(moving) };
}

function anyGoesTo(
  to: string,
  ranges: readonly Range[],
  placement: Placement,
  monitor: OperationParts['monitor'],
): boolean {
  for (const [first, last] of ranges) {
    for (let bucket = first; bucket <= last; bucket += 1) {
      if (lastKnownHome(placement.locateBucket(bucket), monitor).home === to) return true;
    }
  }
  return false;
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
  const moving = [...byHome].map(([home, ofHome]) => {
    const wish = (): Moving => ({ buckets: [], tenants: ofHome });
    return [home, { count: ofHome.length, wish }] as const;
  });
  return { byHome: new Map(moving) };
}

function severalHomes(byHome: ReadonlyMap<string, { count: number }>): string {
  const counts = [...byHome]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([home, { count }]) => `${home} (${count})`);
  return `They are at several homes, of which one is to be named as from: ${counts.join(', ')}.`;
}
