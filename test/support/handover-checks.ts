// Handovers on a fleet under load: what operators ask of it, and that no request failed and no tenant had two cells for it.
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { countFailed, type Circumstances } from '../../loadtest/bench/handover-counts.ts';
import { sendOne } from '../../loadtest/bench/handover-operator.ts';
import { startOpenLoad, type LoadPlan, type OpenLoad, type Sent } from '../../loadtest/bench/open-load.ts';
import { tenantsAtThird, tenantsAtTwo } from '../../loadtest/bench/turn-cells.ts';
import { turnsOf, type AuditEvent, type Turn } from '../../loadtest/bench/turns.ts';
import { parseFleet } from '../../router/fleet/load.ts';
import type { Placement } from '../../router/placement/placement.ts';
import { statusOf, untilCalm, type Asked } from './fault-checks.ts';
import { ADMIN_TOKEN, CELLS, NEIGHBOUR, NEWCOMER, type FaultFleet } from './fault-fleet.ts';
import { until } from './wait.ts';

/** Longer than any test. */
const LONG_S = 600;
const RATE = 120;
const TENANTS_A_HOME = 8;
const EVENTS = 500;

export type Operated = { status: number; body: Record<string, unknown> };

/** What an operator asks of the admin port, and its answer. */
export async function operate(
  { admin }: Asked,
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: Record<string, unknown> = {},
): Promise<Operated> {
  const answer = await fetch(`${admin}${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ reason: 'a drill', owner: 'anna', ...body }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

export async function drain(
  router: Asked,
  cell: string,
  percent: number,
  expiresIn = LONG_S,
): Promise<Operated> {
  return await operate(router, 'POST', `/v1/cells/${cell}/drain`, { percent, expiresIn });
}

export async function endDrain(router: Asked, cell: string): Promise<Operated> {
  return await operate(router, 'DELETE', `/v1/cells/${cell}/drain`);
}

export async function restore(router: Asked, cell: string): Promise<Operated> {
  return await operate(router, 'POST', `/v1/cells/${cell}/restore`);
}

/** Whatever the test before left away comes home; resolves when all is calm. */
export async function calmDown(fleet: FaultFleet): Promise<void> {
  const [router] = fleet.routers;
  if (router === undefined) throw new Error('no router');
  for (const { id, share } of (await statusOf(router)).cells) if (share > 0) await restore(router, id);
  await untilCalm(fleet);
}

/** The placement by the fleet file that the routers have been given. */
export function placementOf(file: unknown): Placement {
  return parseFleet(stringify(file), '.').placement;
}

/** A few tenants that are at home in this cell by the hash alone. */
export function crowdOf(placement: Placement, home: string): { tenant: string; home: string }[] {
  const crowd: { tenant: string; home: string }[] = [];
  for (let number = 0; crowd.length < TENANTS_A_HOME; number += 1) {
    const tenant = `crowd-${number}`;
    if (placement.locate(tenant).home === home) crowd.push({ tenant, home });
  }
  return crowd;
}

/** A fleet that is watched under load. `plan.routers` may be changed. */
export type Watched = {
  fleet: FaultFleet;
  load: OpenLoad;
  plan: LoadPlan;
  /** Requests beside the load. */
  extra: Sent[];
  /** Epoch milliseconds. */
  fromMs: number;
};

/** Requests of all homes' tenants by all routers, until `expectUntroubled` ends them. */
export async function watchUnderLoad(fleet: FaultFleet): Promise<Watched> {
  const placement = placementOf(fleet.fileFor(0));
  const tenants = CELLS.flatMap((home) => crowdOf(placement, home));
  const plan: LoadPlan = { routers: fleet.routers.map(({ url }) => url), tenants, rate: RATE };
  const watched: Watched = { fleet, plan, load: startOpenLoad(plan), extra: [], fromMs: epochMs() };
  await more(watched, RATE / 4);
  return watched;
}

export async function more({ load }: Watched, count: number): Promise<void> {
  const enough = load.sent.length + count;
  await until('the load goes on', () => load.sent.length >= enough);
}

/** What may be otherwise than it should, by the fault of the test. */
export type Allowed = Partial<Circumstances> & {
  /** Requests of which nothing is expected. */
  except?: (sent: Sent) => boolean;
  /** Who may serve a tenant; else its home and that one's neighbour. */
  mayServe?: (tenant: string) => readonly string[];
};

/**
 * Ends the load, after a while more: no request may have failed, nobody was served by two cells at once in a handover, or
 * by a third cell ever. Answers the handovers.
 */
export async function expectUntroubled(watched: Watched, allowed: Allowed = {}): Promise<Turn[]> {
  const { fleet, load, extra, fromMs } = watched;
  const { home = '', killed = [], mayRefuseMoving = false, except = () => false } = allowed;
  await more(watched, RATE / 2);
  await load.stop();
  const untilMs = epochMs();
  const sent = [...load.sent, ...extra].filter((one) => !except(one));
  const { failed, reasons } = countFailed(sent, { home, killed, mayRefuseMoving });
  expect({ failed, reasons: failed === 0 ? {} : reasons }).toEqual({ failed: 0, reasons: {} });

  const neighbourOf = (cell: string): string => NEIGHBOUR[cell] ?? '';
  const turns = turnsOf(await auditSince(fleet, fromMs), neighbourOf);
  const cells = [...CELLS, NEWCOMER].flatMap((id) => (fleet.has(id) ? [fleet.cell(id)] : []));
  const lines = cells.flatMap((cell) => cell.served());
  const homes = new Map(watched.plan.tenants.map((one) => [one.tenant, one.home]));
  const mayServe = (tenant: string): string[] => {
    const home = homes.get(tenant) ?? '';
    return [home, neighbourOf(home)];
  };
  const ofLoad = lines.filter(({ tenant }) => homes.has(tenant));
  expect(ofLoad.length).toBeGreaterThan(0);
  expect(tenantsAtTwo(ofLoad, turns)).toBe(0);
  expect(tenantsAtThird(ofLoad, { fromMs, untilMs }, allowed.mayServe ?? mayServe)).toBe(0);
  return turns;
}

/** The audit log since then (epoch milliseconds). */
export async function auditSince({ routers }: FaultFleet, fromMs: number): Promise<AuditEvent[]> {
  const [router] = routers;
  const answer = await fetch(`${router?.admin}/v1/events?limit=${EVENTS}`);
  const { events } = (await answer.json()) as { events: AuditEvent[] };
  return events.filter(({ at }) => Date.parse(at) >= Math.floor(fromMs));
}

/** Waits until a handover of the home is closing that began since then. */
export async function untilClosing(fleet: FaultFleet, home: string, fromMs: number): Promise<void> {
  await until(`${home} is being handed over`, async () => {
    const events = await auditSince(fleet, fromMs);
    return events.some(({ cell, details }) => cell === home && details?.['phase'] === 'closing');
  });
}

/** A request of one of the home's tenants by that router that stays inside for so long; resolves when it has been let in. */
export async function stayInside(
  { fleet, plan, extra }: Watched,
  home: string,
  router: number,
  ms: number,
): Promise<{ over: Promise<void> }> {
  const [one] = plan.tenants.filter((tenant) => tenant.home === home);
  const url = plan.routers[router];
  if (one === undefined || url === undefined) throw new Error('there is nobody to send a request');
  const sent = sendOne(url, { ...one, router, path: `/slow/${ms}` });
  const path = (line: { tenant: string; untilMs: number | null; at: number }): boolean =>
    line.tenant === one.tenant && line.untilMs === null && epochMs() - line.at > INSIDE_MS;
  await until('it is inside', () => fleet.cell(home).served().some(path));
  return { over: sent.then((answer) => void extra.push(answer)) };
}

/** No other request takes that long. */
const INSIDE_MS = 50;

export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
