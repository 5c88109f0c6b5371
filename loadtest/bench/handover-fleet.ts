// What the benchmark of handovers measures: four fenced stub cells and one that is yet to join, three routers and a Redis.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Fleet } from '../../router/fleet/fleet.ts';
import { parseFleet } from '../../router/fleet/load.ts';
import { startWithEnds, type Ends } from '../rig/ends.ts';
import { startRedis, type RunningRedis } from '../rig/redis.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startStubProcess, type StubProcess } from '../stubs/stub-process.ts';

export const MEMBERS = ['cell-a', 'cell-b', 'cell-c', 'cell-d'] as const;
export const NEWCOMER = 'cell-e';
/** In a circle, as the file says at first; and in another one, in which each has a new neighbour. */
export const CIRCLE = ['cell-a', 'cell-b', 'cell-c', 'cell-d'] as const;
export const OTHER_CIRCLE = ['cell-a', 'cell-c', 'cell-b', 'cell-d'] as const;

const ROUTERS = 3;
/** What a request takes inside a cell: something has to be inside when a handover begins. */
const SERVICE_MS = 10;

export type Tenant = { tenant: string; home: string };

export type FleetFile = {
  /** Each stands in for the one before it, the first one for the last. */
  circle: readonly string[];
  /** Declared beside them: no members any more. */
  former?: readonly string[];
  generations: readonly unknown[];
};

export type HandoverFleet = {
  cells: ReadonlyMap<string, StubProcess>;
  redis: RunningRedis;
  /** Running or not: a killed one stays until it is replaced. */
  routers: RunningRouter[];
  tenants: readonly Tenant[];
  /** By the file that was written last. */
  written(): Fleet;
  neighbourOf(cell: string): string;
  cell(id: string): StubProcess;
  /** Puts a file in the place of the one that the routers have, all at once. */
  write(file: FleetFile): Fleet;
  /** A new process in the place of a router that was killed, under the same name. */
  replaceRouter(index: number): Promise<void>;
  close(): Promise<void>;
};

export const FIRST_FILE: FleetFile = { circle: CIRCLE, generations: [{ add: MEMBERS }] };

/**
 * Starts all of it in an empty folder and waits until every router is ready; what was started has ended when it throws.
 * All settings of the routers but the dwell are the defaults.
 */
export async function startHandoverFleet(folder: string, tenants: number): Promise<HandoverFleet> {
  return startWithEnds((ends) => startParts(folder, tenants, ends));
}

async function startParts(
  folder: string,
  tenants: number,
  ends: Ends,
): Promise<Omit<HandoverFleet, 'close'>> {
  const redis = await startRedis();
  ends.push(() => redis.stop());
  const cells = new Map<string, StubProcess>();
  for (const id of [...MEMBERS, NEWCOMER]) {
    const behaviour = { latencyMs: SERVICE_MS };
    const cell = await startStubProcess({ id, logFile: join(folder, `${id}.log`), behaviour });
    ends.push(() => cell.stop());
    cells.set(id, cell);
  }
  const path = join(folder, 'fleet.yaml');
  const write = (file: FleetFile): Fleet => writeFleet(path, cells, file);
  let written = write(FIRST_FILE);
  const { placement } = written;
  const routers: RunningRouter[] = [];
  const launch = async (index: number): Promise<void> => {
    const router = await startRouter(`router-${index + 1}`, {
      FLEET_FILE: path,
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      MIN_DWELL_MS: '500',
    });
    ends.push(() => router.stop());
    routers[index] = router;
  };
  for (let index = 0; index < ROUTERS; index += 1) await launch(index);
  return {
    cells,
    redis,
    routers,
    written: () => written,
    tenants: Array.from({ length: tenants }, (_, index) => {
      const tenant = `tenant-${index}`;
      return { tenant, home: placement.locate(tenant).home };
    }),
    neighbourOf: (cell) => written.placement.neighbourOf(cell) ?? '',
    cell: (id) => known(cells, id),
    write: (file) => (written = write(file)),
    replaceRouter: launch,
  };
}

/** By a rename: no router reads half a file. */
function writeFleet(path: string, cells: ReadonlyMap<string, StubProcess>, file: FleetFile): Fleet {
  const { circle, former = [], generations } = file;
  const members = circle.map((id, at) => {
    const neighbour = circle[(at + 1) % circle.length];
    return [id, { origin: known(cells, id).origin, neighbour }] as const;
  });
  const others = former.map((id) => [id, { origin: known(cells, id).origin }] as const);
  const text = stringify({ cells: Object.fromEntries([...members, ...others]), generations });
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return parseFleet(text, '.');
}

function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`this fleet has no ${key}`);
  return value;
}
