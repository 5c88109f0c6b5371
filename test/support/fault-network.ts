// A fleet in a network of its own, where lines between hosts can be cut: three routers, Redis, and a host for the cells.
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Asked } from './fault-checks.ts';
import { ADMIN_TOKEN, CELLS, tenantsOf } from './fault-fleet.ts';
import { startNetwork, type Network } from './netns.ts';
import { findRedisServer } from './redis.ts';
import { fleetOf } from './router.ts';
import { until } from './wait.ts';

export const ROUTERS = ['router-1', 'router-2', 'router-3'];
export const STORE = 'store';
const CELL_HOST = 'cells';
const CELL_TOKEN = 'a-token-of-the-cells';
const FIRST_CELL_PORT = 4101;
const REDIS_PORT = 6379;
/** As long as a store that began empty passes no verdict, and some. */
const WARM_UP_MS = 3_500;

export type FaultNetwork = {
  network: Network;
  routers: Asked[];
  killCell(id: string): void;
  stop(): Promise<void>;
};

/** Starts all of it, and resolves once verdicts can be passed. Only root can, see `canMakeNetworks`. */
export async function startFaultNetwork(): Promise<FaultNetwork> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-faults-'));
  const network = startNetwork([STORE, CELL_HOST, ...ROUTERS]);
  const stop = async (): Promise<void> => {
    await network.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    startStore(network, folder);
    const cells = startCells(network);
    const fleetFile = join(folder, 'fleet.yaml');
    await writeFile(fleetFile, fleetText(network));
    const routers = await Promise.all(ROUTERS.map((host) => startRouterAt(network, host, fleetFile)));
    const readyAtMs = performance.now();
    await until('verdicts can be passed', () => performance.now() - readyAtMs > WARM_UP_MS);
    return { network, routers, killCell: (id) => void cells.get(id)?.kill('SIGKILL'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startStore(network: Network, folder: string): void {
  const binary = findRedisServer();
  if (binary === null) throw new Error('no redis-server on this machine: run `node test/ensure-redis.ts`');
  const where = ['--bind', network.addressOf(STORE), '--port', String(REDIS_PORT), '--dir', folder];
  const plain = ['--protected-mode', 'no', '--save', '', '--appendonly', 'no'];
  network.spawn(STORE, binary, [...where, ...plain]).stdout?.resume();
}

function startCells(network: Network): Map<string, ChildProcess> {
  const host = network.addressOf(CELL_HOST);
  return new Map(
    CELLS.map((id, index) => {
      const files = { logFile: null, rulesFile: null };
      const port = FIRST_CELL_PORT + index;
      const stub = { id, level: 1, host, port, token: CELL_TOKEN, behaviour: {}, ...files };
      const args = ['loadtest/stubs/stub-cell-main.ts'];
      return [id, network.spawn(CELL_HOST, process.execPath, args, { STUB_CELL: JSON.stringify(stub) })];
    }),
  );
}

function fleetText(network: Network): string {
  const host = network.addressOf(CELL_HOST);
  const rows = CELLS.map(
    (id, index) => [id, { origin: `http://${host}:${FIRST_CELL_PORT + index}` }] as const,
  );
  const pins = Object.fromEntries(CELLS.flatMap((id) => tenantsOf(id).map((tenant) => [tenant, id])));
  return stringify(fleetOf(Object.fromEntries(rows), { pins }));
}

async function startRouterAt(network: Network, host: string, fleetFile: string): Promise<Asked> {
  const child = network.spawn(host, process.execPath, ['router/main.ts'], {
    FLEET_FILE: fleetFile,
    REDIS_URL: `redis://${network.addressOf(STORE)}:${REDIS_PORT}`,
    ROUTER_ID: host,
    CELL_TOKEN,
    ADMIN_TOKEN: `anna:${ADMIN_TOKEN}`,
    PROBE_INTERVAL_MS: '100',
    PROBE_TIMEOUT_MS: '300',
    MIN_DWELL_MS: '500',
    HANDOVER_MS: '500',
    HOLD_MS: '2000',
    // Cells that die here stay dead.
    MAX_FAILED_OVER: '1',
  });
  child.stdout?.resume();
  child.stderr?.resume();
  const [url, admin] = await Promise.all([network.door(host, 8080), network.door(host, 9090)]);
  await until(`${host} is ready`, async () => (await fetch(`${admin}/readyz`)).status === 200);
  return { url, admin };
}
