// What is soaked: one real router with its defaults, its own Redis, and four stub cells, all of them processes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startWithEnds, type Ends } from '../rig/ends.ts';
import { startRedis } from '../rig/redis.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startStubProcess, type StubProcess } from '../stubs/stub-process.ts';

/** Each stands in for the one before it, the first for the last. */
const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];
const TENANTS_PER_CELL = 50;
/** Requests for this path are given up by the router. */
const HANG_LIMIT_MS = 300;

export type Tenant = { tenant: string; home: string; neighbour: string };

export type SoakFleet = {
  cells: ReadonlyMap<string, StubProcess>;
  router: RunningRouter;
  /** The public listener's. */
  port: number;
  tenants: Tenant[];
  close(): Promise<void>;
};

/**
 * Starts it and waits until the router is ready. `env` beats the router's defaults, which are those of a user: its
 * request log is on, as far as it is by default.
 */
export async function startSoakFleet(folder: string, env: Record<string, string> = {}): Promise<SoakFleet> {
  return await startWithEnds((ends) => startParts(folder, env, ends));
}

async function startParts(
  folder: string,
  env: Record<string, string>,
  ends: Ends,
): Promise<Omit<SoakFleet, 'close'>> {
  const ending = <T extends { stop(): Promise<void> }>(part: T): T => {
    ends.push(() => part.stop());
    return part;
  };
  const redis = ending(await startRedis());
  const cells = new Map<string, StubProcess>();
  for (const id of CELLS) {
    const rulesFile = join(folder, `${id}.rules`);
    cells.set(id, ending(await startStubProcess({ id, rulesFile })));
  }
  const file = join(folder, 'fleet.yaml');
  writeFileSync(file, stringify(fleetFile(cells)));
  const router = ending(
    await startRouter('router-1', {
      FLEET_FILE: file,
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      ACCESS_LOG: 'errors',
      ...env,
    }),
  );
  return { cells, router, port: Number(new URL(router.url).port), tenants: CELLS.flatMap(tenantsOf) };
}

function fleetFile(cells: ReadonlyMap<string, StubProcess>): unknown {
  const declared = [...cells.values()].map(({ id, origin }) => [id, { origin, neighbour: neighbourOf(id) }]);
  const pins = CELLS.flatMap(tenantsOf).map(({ tenant, home }) => [tenant, home]);
  return {
    cells: Object.fromEntries(declared),
    generations: [{ add: CELLS }],
    pins: Object.fromEntries(pins),
    routes: [{ path: '/hang', timeoutMs: HANG_LIMIT_MS }],
  };
}

function neighbourOf(cell: string): string {
  return CELLS[(CELLS.indexOf(cell) + 1) % CELLS.length] ?? '';
}

function tenantsOf(home: string): Tenant[] {
  const neighbour = neighbourOf(home);
  return Array.from({ length: TENANTS_PER_CELL }, (_, i) => ({ tenant: `${home}-${i}`, home, neighbour }));
}
