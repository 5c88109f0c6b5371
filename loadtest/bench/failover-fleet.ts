// What the failover benchmark measures: stub cells, real routers and a real Redis, all of them processes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parseFleet } from '../../router/fleet/load.ts';
import { startRedis } from '../rig/redis.ts';
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
  routers: RunningRouter[];
  tenants: { tenant: string; home: string }[];
  neighbourOf: (cell: string) => string;
  /** Puts a new process in the place of a router that was killed. */
  restartRouter(index: number): Promise<RunningRouter>;
  close(): Promise<void>;
};

/** Starts all of it and waits until every router is ready. All settings of the routers but the dwell are the defaults. */
export async function startBenchFleet({
  folder,
  routers,
  level,
  tenants,
}: FleetOptions): Promise<BenchFleet> {
  const redis = await startRedis();
  const pubSub = await startChaosProxy({
    target: redis.port,
    only: (chunk) => SUBSCRIBES.test(chunk.toString('latin1')),
  });
  const started = await Promise.all(
    CELLS.map((id) => startStubProcess({ id, level, logFile: join(folder, `${id}.log`) })),
  );
  const cells = new Map(started.map((cell) => [cell.id, cell]));
  const proxy = await startChaosProxy({ target: cells.get(PROXIED)?.port ?? 0 });
  const origins = started.map(({ id, origin }) => [id, { origin: id === PROXIED ? proxy.origin : origin }]);
  const text = stringify({ cells: Object.fromEntries(origins), generations: [{ add: CELLS }] });
  const file = join(folder, 'fleet.yaml');
  writeFileSync(file, text);
  const { placement } = parseFleet(text, folder);
  const launch = (index: number): Promise<RunningRouter> =>
    startRouter(`router-${index + 1}`, {
      FLEET_FILE: file,
      REDIS_URL: `redis://127.0.0.1:${pubSub.port}`,
      MIN_DWELL_MS: '500',
    });
  const running = await Promise.all(Array.from({ length: routers }, (_, index) => launch(index)));
  return {
    cells,
    direct: CELLS.filter((id) => id !== PROXIED),
    proxied: PROXIED,
    proxy,
    pubSub,
    routers: running,
    tenants: Array.from({ length: tenants }, (_, index) => {
      const tenant = `tenant-${index}`;
      return { tenant, home: placement.locate(tenant).home };
    }),
    neighbourOf: (cell) => placement.neighbourOf(cell) ?? '',
    async restartRouter(index) {
      const router = await launch(index);
      running[index] = router;
      return router;
    },
    async close() {
      await Promise.all(running.map((router) => router.stop()));
      await Promise.all([...cells.values()].map((cell) => cell.stop()));
      await Promise.all([proxy.close(), pubSub.close(), redis.stop()]);
    },
  };
}
