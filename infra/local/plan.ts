// What a local fleet is made of, before anything runs: cells, zones, the fleet file, and each process's environment.
import { join } from 'node:path';
import { stringify } from 'yaml';
import { requestJson } from '../http-json.ts';
import type { ChildSpec } from './child.ts';
import { PRELOAD, ROUTER_ARGS, ROUTER_ENV } from './router-process.ts';

const ZONES = 3;
const ROOT = join(import.meta.dirname, '../..');

/** Variables that this file decides: one left over in the user's shell would give every cell one database. */
const DECIDED_HERE =
  'CELL_ID CELL_TOKEN DATA_DIR DATABASE_URL NEIGHBOUR_DATABASE_URL STANDBY_OF HOST PORT ADMIN_HOST ADMIN_PORT FLEET_FILE REDIS_URL REDIS_PREFIX ROUTER_ID'.split(
    ' ',
  );

/** Shorter than the router's own default, so that a stop with open streams is over within seconds. */
const DRAIN_TIMEOUT_MS = 1_000;

export type CellPlan = { id: string; zone: string; port: number; url: string };

/** `cell-a` in `az-1`, `cell-b` in `az-2`, … one for each port. */
export function planCells(ports: readonly number[]): CellPlan[] {
  return ports.map((port, index) => ({
    id: `cell-${String.fromCodePoint(97 + index)}`,
    zone: `az-${(index % ZONES) + 1}`,
    port,
    url: `http://127.0.0.1:${port}`,
  }));
}

/** The fleet file (YAML) of these cells: one generation, tenants named by a header. */
export function fleetFile(cells: readonly CellPlan[]): string {
  const fleet = {
    tenant: [{ header: 'x-tenant-id' }],
    // A neighbour without the home's data is no help; a cell that is alone has none.
    failover: { requires: cells.length > 1 ? 'standby' : 'none' },
    cells: Object.fromEntries(cells.map(({ id, zone, url }) => [id, { origin: url, zone }])),
    generations: [{ add: cells.map(({ id }) => id) }],
  };
  return `# Made up by \`npm start\` for one run; a router that reads it reloads it when it changes.\n${stringify(fleet)}`;
}

/** The user's environment without what is decided here; tuning such as `PROBE_INTERVAL_MS` passes. */
export function inheritedEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !DECIDED_HERE.includes(name)) passed[name] = value;
  }
  return passed;
}

/** How to run a cell. Its data is kept in `folder`, for as long as the fleet lives. `pair`: see `planPairs`. */
export function cellSpec(
  cell: CellPlan,
  folder: string,
  pair: Record<string, string>,
  env: Record<string, string>,
): ChildSpec {
  const dataDir = join(folder, cell.id);
  return {
    name: cell.id,
    kind: 'cell',
    command: process.execPath,
    args: [...PRELOAD, join(ROOT, 'cell-template/main.ts')],
    env: { ...env, ...pair, CELL_ID: cell.id, HOST: '127.0.0.1', PORT: String(cell.port), DATA_DIR: dataDir },
    url: cell.url,
    dataDir,
    isReady: () => answersOk(`${cell.url}/health`),
  };
}

export type RouterPlan = { id: string; port: number; adminPort: number };
export type SharedRedis = { url: string; prefix: string };

/** How to run a router; without `redis` it uses the store in its own process. `token`: what cells know it by. */
export function routerSpec(
  router: RouterPlan,
  { fleetPath, redis, token }: { fleetPath: string; redis: SharedRedis | undefined; token: string },
  env: Record<string, string>,
): ChildSpec {
  return {
    name: router.id,
    kind: 'router',
    command: process.execPath,
    args: [...ROUTER_ARGS],
    env: {
      DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS),
      ...ROUTER_ENV,
      ...env,
      HOST: '127.0.0.1',
      PORT: String(router.port),
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: String(router.adminPort),
      FLEET_FILE: fleetPath,
      CELL_TOKEN: token,
      ROUTER_ID: router.id,
      ...(redis === undefined ? {} : { REDIS_URL: redis.url, REDIS_PREFIX: redis.prefix }),
    },
    url: `http://127.0.0.1:${router.port}`,
    isReady: () => answersOk(`http://127.0.0.1:${router.adminPort}/readyz`),
  };
}

async function answersOk(url: string): Promise<boolean> {
  return (await requestJson({ url }, { timeoutMs: 1_000 })).status === 200;
}
