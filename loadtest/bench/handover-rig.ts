// The fleet of the benchmark of handovers under its load, and what its routers are asked while changes are played.
import type { RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import type { HandoverFleet } from './handover-fleet.ts';
import type { LoadPlan, OpenLoad } from './open-load.ts';
import type { StreamClients } from './stream-clients.ts';
import type { AuditEvent } from './turns.ts';

export type HandoverRig = {
  fleet: HandoverFleet;
  load: OpenLoad;
  /** Its `routers` are changed when one of them is lost: clients go elsewhere, as behind a load balancer. */
  plan: LoadPlan;
  streams: StreamClients;
  /** Events that were read so far, by cell and epoch: a Redis that is replaced forgets them. */
  audit: Map<string, AuditEvent>;
};

export type CellRow = {
  id: string;
  neighbour: string | null;
  state: string;
  phase: 'open' | 'closing';
  share: number;
  pins: number;
  opinion: string;
};

/** What has routers that may be asked. */
type Routed = Pick<HandoverFleet, 'routers'>;

const LIMIT_MS = 60_000;
/** The newest events of a play are among these. */
const EVENTS = 500;

/** The routers whose processes run. */
export function runningRouters({ routers }: Routed): RunningRouter[] {
  return routers.filter(({ child }) => child.running);
}

export function firstRouter(fleet: Routed): RunningRouter {
  const [router] = runningRouters(fleet);
  if (router === undefined) throw new Error('no router runs');
  return router;
}

export async function rowsAt(router: RunningRouter): Promise<CellRow[]> {
  const { cells } = (await router.admin('/v1/cells')) as { cells: CellRow[] };
  return cells;
}

/** Waits until each of these routers has a row of the home that is as wanted. */
export async function untilRow(
  routers: readonly RunningRouter[],
  home: string,
  what: string,
  wanted: (row: CellRow) => boolean,
): Promise<void> {
  const isSo = async (router: RunningRouter): Promise<boolean> =>
    (await rowsAt(router)).some((row) => row.id === home && wanted(row));
  await until(
    `every router has ${home} ${what}`,
    async () => (await Promise.all(routers.map(isSo))).every(Boolean),
    { limitMs: LIMIT_MS, everyMs: 20 },
  );
}

/** Nobody is away, nothing is under way, and every router finds every cell up. */
export async function untilCalm(fleet: Routed): Promise<void> {
  const isCalm = ({ state, phase, share, pins, opinion }: CellRow): boolean =>
    state === 'serving' && phase === 'open' && share === 0 && pins === 0 && opinion === 'up';
  await until(
    'all is calm',
    async () => (await Promise.all(runningRouters(fleet).map(rowsAt))).flat().every(isCalm),
    { limitMs: LIMIT_MS, everyMs: 20 },
  );
}

/** The audit log from a moment on (epoch milliseconds), in no order. */
export async function eventsSince(
  { fleet, audit }: Pick<HandoverRig, 'fleet' | 'audit'>,
  fromMs: number,
): Promise<AuditEvent[]> {
  const answer = await firstRouter(fleet).admin(`/v1/events?limit=${EVENTS}`);
  const { events } = answer as { events: AuditEvent[] };
  for (const event of events) {
    const { cell, epoch, details } = event;
    audit.set(`${cell} ${epoch} ${String(details?.['phase'])}`, event);
  }
  return [...audit.values()].filter(({ at }) => Date.parse(at) >= Math.floor(fromMs));
}

/** Waits until a handover of the home is closing that began after that moment (epoch milliseconds). */
export async function untilClosing(
  rig: Pick<HandoverRig, 'fleet' | 'audit'>,
  home: string,
  fromMs: number,
): Promise<void> {
  await until(`${home} is being handed over`, async () => {
    const events = await eventsSince(rig, fromMs);
    return events.some(({ cell, details }) => cell === home && details?.['phase'] === 'closing');
  });
}

/** The clock of the audit log and of the access logs. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
