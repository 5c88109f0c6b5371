// What the failover benchmark measures: stub cells, real routers and a real Redis, all of them processes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parseFleet } from '../../router/fleet/load.ts';
import { startWithEnds, type Ends } from '../rig/ends.ts';
import { startRedis, type RunningRedis } from '../rig/redis.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startChaosProxy, type ChaosProxy } from '../stubs/chaos-proxy.ts';
import { startStubProcess, type StubProcess } from '../stubs/stub-process.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];
/** The command as Redis gets it, sharded or not; a script that mentions the word is something else. */
const SUBSCRIBES = /\$\d+\r\ns?subscribe\r\n/i;
/** The one behind a proxy. Its own process is never killed, so that no fault is blurred by the proxy. */
const PROXIED = 'cell-d';

export type FleetOptions = {
  /** An empty folder: fleet file, access logs. */
  folder: string;
  routers: number;
  level: 0 | 1;
  tenants: number;
};

export type BenchFleet = {
  cells: ReadonlyMap<string, StubProcess>;
  /** The cells that routers reach directly. */
  direct: readonly string[];
  proxied: string;
  /** Stands before the proxied cell. */
  proxy: ChaosProxy;
  /** Stands before Redis; its modes touch the subscribers alone. */
  pubSub: ChaosProxy;
  redis: RunningRedis;
  routers: RunningRouter[];
  tenants: { tenant: string; home: string }[];
  neighbourOf: (cell: string) => string;
  /** Puts a new process in the place of a router that was killed. */
  restartRouter(index: number): Promise<RunningRouter>;
  close(): Promise<void>;
};

/**
 * Starts all of it and waits until every router is ready; what was started has ended when it throws. All settings of
 * the routers but the dwell are the defaults.
 */
export async function startBenchFleet(options: FleetOptions): Promise<BenchFleet> {
  return startWithEnds((ends) => startParts(options, ends));
}

async function startParts(
  { folder, routers, level, tenants }: FleetOptions,
  ends: Ends,
): Promise<Omit<BenchFleet, 'close'>> {
  const ending = <T extends { stop(): Promise<void> }>(part: T): T => {
    ends.push(() => part.stop());
    return part;
  };
  const redis = ending(await startRedis());
  const pubSub = await startChaosProxy({
    target: redis.port,
    only: (chunk) => SUBSCRIBES.test(chunk.toString('latin1')),
  });
  ends.push(() => pubSub.close());
  const cells = new Map<string, StubProcess>();
  for (const id of CELLS) {
    cells.set(id, ending(await startStubProcess({ id, level, logFile: join(folder, `${id}.log`) })));
  }
  const proxy = await startChaosProxy({ target: cells.get(PROXIED)?.port ?? 0 });
  ends.push(() => proxy.close());
  const { file, placement } = writeFleet(folder, cells, proxy);
  const running: RunningRouter[] = [];
  const launch = async (index: number): Promise<RunningRouter> => {
    const router = await startRouter(`router-${index + 1}`, {
      FLEET_FILE: file,
      REDIS_URL: `redis://127.0.0.1:${pubSub.port}`,
      MIN_DWELL_MS: '500',
    });
    running[index] = ending(router);
    return router;
  };
  for (let index = 0; index < routers; index += 1) await launch(index);
  return {
    cells,
    direct: CELLS.filter((id) => id !== PROXIED),
    proxied: PROXIED,
    proxy,
    pubSub,
    redis,
    routers: running,
    tenants: Array.from({ length: tenants }, (_, index) => {
      const tenant = `tenant-${index}`;
      return { tenant, home: placement.locate(tenant).home };
    }),
    neighbourOf: (cell) => placement.neighbourOf(cell) ?? '',
    restartRouter: launch,
  };
}

function writeFleet(folder: string, cells: ReadonlyMap<string, StubProcess>, proxy: ChaosProxy) {
  const origins = [...cells].map(([id, { origin }]) => [
    id,
    { origin: id === PROXIED ? proxy.origin : origin },
  ]);
  const text = stringify({ cells: Object.fromEntries(origins), generations: [{ add: CELLS }] });
  const file = join(folder, 'fleet.yaml');
  writeFileSync(file, text);
  return { file, placement: parseFleet(text, folder).placement };
}
