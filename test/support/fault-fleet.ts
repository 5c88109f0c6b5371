// A fleet to spoil: three routers, four fenced stub cells that stand in for one another in a circle, and a Redis.
import { mkdtemp, rm } from 'node:fs/promises';
import { startWithEnds, type Ends } from '../../loadtest/rig/ends.ts';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChaosProxy, type ChaosProxy } from './chaos-proxy.ts';
import { startRedis, type RedisProcess } from './redis.ts';
import type { Behaviour } from '../../loadtest/stubs/stub-options.ts';
import { fleetOf, startRouter, type RunningRouter } from './router.ts';
import { startStubProcess, type StubProcess } from './stub-process.ts';
import { until } from './wait.ts';

/** Cell → its neighbour: the order of the names. */
export const NEIGHBOUR: Readonly<Record<string, string>> = {
  'cell-a': 'cell-b',
  'cell-b': 'cell-c',
  'cell-c': 'cell-d',
  'cell-d': 'cell-a',
};
export const CELLS = Object.keys(NEIGHBOUR);
/** No member at first; its process is there where a test asks for it. */
export const NEWCOMER = 'cell-e';
export const ADMIN_TOKEN = 'a-long-enough-token';
const ROUTERS = 3;
/** Several, because what one tenant meets says nothing of a cell. */
const TENANTS_A_CELL = 3;
/** A store that began empty passes no verdict before all routers may have beaten: 3 s, and some. */
const WARM_UP_MS = 3_500;

const QUICK = {
  PROBE_INTERVAL_MS: '100',
  PROBE_TIMEOUT_MS: '300',
  FALL: '3',
  MIN_DWELL_MS: '500',
  HANDOVER_MS: '500',
  HOLD_MS: '2000',
  ACCESS_LOG: 'errors',
  ADMIN_TOKEN: `anna:${ADMIN_TOKEN}`,
};

export type FaultFleetOptions = {
  /** Beats the settings of the routers, which are quick. */
  env?: Record<string, string>;
  /** The same for one router, by index. */
  envOf?: (router: number, folder: string) => Record<string, string>;
  /** Cells of contract level 0; the others are fenced. */
  unfenced?: readonly string[];
  zones?: Readonly<Record<string, string>>;
  /** Of all cells, whenever they start. */
  behaviour?: Partial<Behaviour>;
  /** Whether there is a fifth cell, that no file declares but on purpose. */
  withNewcomer?: boolean;
  /** Between which routers (by index) and cells a chaos proxy stands. Their fleet files differ by that. */
  proxied?: readonly (readonly [router: number, cell: string])[];
};

/** The tenants whose home is this cell; they are pinned, so that a test can name them. */
export function tenantsOf(home: string): string[] {
  return Array.from({ length: TENANTS_A_CELL }, (_, index) => `${home}-${index}`);
}

/** What a fleet file says beside the usual. */
export type FileChange = {
  pins?: Record<string, string>;
  /** Cell → its neighbour, where one is named. */
  neighbours?: Readonly<Record<string, string>>;
  /** Cells beside the usual ones. */
  more?: readonly string[];
  generations?: readonly unknown[];
};

export type FaultFleet = {
  routers: RunningRouter[];
  redis: RedisProcess;
  /** For files of the test; it goes with the fleet. */
  folder: string;
  cell(id: string): StubProcess;
  has(cell: string): boolean;
  /** The proxy between this router and this cell. */
  proxy(router: number, cell: string): ChaosProxy;
  /** The fleet file of this router. */
  fileFor(router: number, change?: FileChange): unknown;
  /** A new process in the place of a router that has ended, under the same name. */
  replaceRouter(index: number): Promise<void>;
  stop(): Promise<void>;
};

/** Starts all of it, and resolves once verdicts can be passed. What was started has ended when it rejects. */
export async function startFaultFleet(options: FaultFleetOptions = {}): Promise<FaultFleet> {
  const fleet = await startWithEnds((ends) => startParts(options, ends));
  return { ...fleet, stop: () => fleet.close() };
}

async function startParts(options: FaultFleetOptions, ends: Ends): Promise<Omit<FaultFleet, 'stop'>> {
  const { env = {}, envOf = () => ({}), unfenced = [], zones = {}, behaviour = {}, proxied = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-faults-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const redis: RedisProcess = await startRedis();
  ends.push(() => redis.stop());
  const cells = new Map<string, StubProcess>();
  const start = async (id: string): Promise<void> => {
    const level = unfenced.includes(id) ? 0 : 1;
    const cell = await startStubProcess({ id, level, logFile: join(folder, `${id}.log`), behaviour });
    ends.push(() => cell.stop());
    cells.set(id, cell);
  };
  await Promise.all([...CELLS, ...(options.withNewcomer === true ? [NEWCOMER] : [])].map(start));
  const proxies = new Map<string, ChaosProxy>();
  for (const [router, cell] of proxied) {
    const proxy = await startChaosProxy({ target: known(cells, cell).port });
    ends.push(() => proxy.close());
    proxies.set(`${router} ${cell}`, proxy);
  }
  const fileFor = (
    router: number,
    { pins = {}, neighbours = {}, more = [], generations }: FileChange = {},
  ): unknown => {
    const rows = [...CELLS, ...more].map((id) => {
      const { origin } = proxies.get(`${router} ${id}`) ?? known(cells, id);
      const [zone, neighbour] = [zones[id], neighbours[id]];
      const named = { ...(zone === undefined ? {} : { zone }), ...(neighbour && { neighbour }) };
      return [id, { origin, ...named }] as const;
    });
    const usual = CELLS.flatMap((id) => tenantsOf(id).map((tenant) => [tenant, id]));
    return fleetOf(Object.fromEntries(rows), {
      pins: { ...Object.fromEntries(usual), ...pins },
      ...(generations === undefined ? {} : { generations }),
    });
  };
  const routers: RunningRouter[] = [];
  const launch = async (index: number): Promise<void> => {
    const names = { ROUTER_ID: `router-${index + 1}`, REDIS_URL: redis.url };
    const router = await startRouter(fileFor(index), { ...QUICK, ...names, ...env, ...envOf(index, folder) });
    ends.push(async () => {
      router.kill('SIGCONT');
      await router.stop();
    });
    routers[index] = router;
  };
  await Promise.all(Array.from({ length: ROUTERS }, (_, index) => launch(index)));
  const readyAtMs = performance.now();
  await until('verdicts can be passed', () => performance.now() - readyAtMs > WARM_UP_MS);
  return {
    routers,
    redis,
    folder,
    cell: (id) => known(cells, id),
    has: (id) => cells.has(id),
    proxy: (router, cell) => known(proxies, `${router} ${cell}`),
    fileFor,
    replaceRouter: launch,
  };
}

function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`this fleet has no ${key}`);
  return value;
}
