// What the benchmark of durability measures: real cells in pairs with a cable for each direction, two routers and a Redis.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DATABASE_USER } from '../../cell-template/postgres/initialise.ts';
import { parseFleet } from '../../router/fleet/load.ts';
import { pairEnv } from '../../infra/local/pairs.ts';
import { layCable, type Cable, type Cut } from '../rig/cable.ts';
import { RigCell } from '../rig/cell.ts';
import { startWithEnds, type Ends } from '../rig/ends.ts';
import { startRedis, type RunningRedis } from '../rig/redis.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import type { Tenant } from './clients.ts';

const ROUTERS = 2;
/** Hash slots are many: a name for a cell is found among so few. */
const NAMES = 1_000;

export type FleetOptions = {
  /** An empty folder: data, fleet file, logs. */
  folder: string;
  cells: number;
  durability: 'async' | 'sync';
  /** How long routers wait for a lost neighbour; their own default where it is left out. */
  neighbourLostMs?: number;
};

export type DurabilityFleet = {
  cells: readonly RigCell[];
  redis: RunningRedis;
  routers: RunningRouter[];
  cell(id: string): RigCell;
  neighbourOf(home: string): string;
  /** So many tenants of each cell; `prefix` makes them others than those of another call. */
  tenants(prefix: string, ofEach: number): Tenant[];
  /** Both directions between a home and its neighbour: what is shipped there, and what comes back. */
  cut(home: string, how: Cut): void;
  heal(home: string): void;
  replaceRouter(index: number): Promise<void>;
  close(): Promise<void>;
};

/** Starts all of it and waits until every standby is synced; what was started has ended when it throws. */
export async function startDurabilityFleet(options: FleetOptions): Promise<DurabilityFleet> {
  return startWithEnds((ends) => startParts(options, ends));
}

async function startParts(options: FleetOptions, ends: Ends): Promise<Omit<DurabilityFleet, 'close'>> {
  const token = randomBytes(16).toString('hex');
  const redis = await startRedis();
  ends.push(() => redis.stop());
  const cells = await planCells(options, ends);
  const path = join(options.folder, 'fleet.yaml');
  const text = fleetText(cells);
  writeFileSync(path, text);
  const { placement } = parseFleet(text, options.folder);
  const neighbours = new Map(cells.map(({ id }) => [id, placement.neighbourOf(id)]));
  const cables = await layCables(cells, ends);
  for (const cell of cells) {
    cell.env = {
      CELL_TOKEN: token,
      DURABILITY: options.durability,
      ...pairEnv(cell.id, neighbours, urlsFor(cell.id, cables)),
    };
  }
  await Promise.all(cells.map((cell) => cell.start()));
  await untilSynced(cells, neighbours);
  const routers: RunningRouter[] = [];
  const launch = async (index: number): Promise<void> => {
    const { neighbourLostMs } = options;
    const router = await startRouter(`router-${index + 1}`, {
      FLEET_FILE: path,
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      CELL_TOKEN: token,
      MIN_DWELL_MS: '500',
      ...(neighbourLostMs === undefined ? {} : { NEIGHBOUR_LOST_MS: String(neighbourLostMs) }),
    });
    ends.push(() => router.stop());
    routers[index] = router;
  };
  for (let index = 0; index < ROUTERS; index += 1) await launch(index);
  const neighbourOf = (home: string): string => neighbours.get(home) ?? '';
  /** What a home ships goes to its neighbour over the neighbour's cable to it, and back over its own to the neighbour. */
  const between = (home: string): Cable[] => {
    const neighbour = neighbourOf(home);
    return [`${home} ${neighbour}`, `${neighbour} ${home}`].map((name) => known(cables, name));
  };
  return {
    cells,
    redis,
    routers,
    cell: (id) => known(new Map(cells.map((cell) => [cell.id, cell])), id),
    neighbourOf,
    tenants: (prefix, ofEach) => {
      const names = Array.from({ length: NAMES }, (_, index) => `${prefix}-${index}`);
      const all = names.map((tenant) => ({ tenant, home: placement.locate(tenant).home }));
      return cells.flatMap(({ id }) => all.filter(({ home }) => home === id).slice(0, ofEach));
    },
    cut: (home, how) => between(home).forEach((cable) => cable.cut(how)),
    heal: (home) => between(home).forEach((cable) => cable.heal()),
    replaceRouter: launch,
  };
}

async function planCells({ cells, folder }: FleetOptions, ends: Ends): Promise<RigCell[]> {
  const planned: RigCell[] = [];
  for (let index = 0; index < cells; index += 1) {
    const cell = await RigCell.plan(`cell-${String.fromCodePoint(97 + index)}`, folder);
    ends.push(() => cell.close());
    planned.push(cell);
  }
  return planned;
}

/** By `<whose database> <who uses it>`: each cell reaches the database of each other one over a cable of its own. */
async function layCables(cells: readonly RigCell[], ends: Ends): Promise<Map<string, Cable>> {
  const cables = new Map<string, Cable>();
  for (const owner of cells) {
    const socket = join(new URL(owner.databaseUrl).searchParams.get('host') ?? '', '.s.PGSQL.5432');
    for (const user of cells.filter(({ id }) => id !== owner.id)) {
      const cable = await layCable(socket, DATABASE_USER);
      ends.push(() => cable.close());
      cables.set(`${owner.id} ${user.id}`, cable);
    }
  }
  return cables;
}

/** Of every other database, as this cell reaches it. */
function urlsFor(user: string, cables: ReadonlyMap<string, Cable>): Map<string, string> {
  const own = [...cables].filter(([name]) => name.endsWith(` ${user}`));
  return new Map(own.map(([name, { url }]) => [name.split(' ')[0] ?? '', url]));
}

function fleetText(cells: readonly RigCell[]): string {
  return stringify({
    failover: { requires: 'standby' },
    cells: Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])),
    generations: [{ add: cells.map(({ id }) => id) }],
  });
}

async function untilSynced(
  cells: readonly RigCell[],
  neighbours: ReadonlyMap<string, string | null>,
): Promise<void> {
  const unsynced = async ({ id }: RigCell): Promise<string[]> => {
    const holder = cells.find((cell) => cell.id === neighbours.get(id));
    const standby = (await holder?.health())?.standbys?.[id];
    return standby?.state === 'synced' ? [] : [`${id}: ${JSON.stringify(standby)}`];
  };
  await until(
    'every standby is synced',
    async () => {
      const left = (await Promise.all(cells.map(unsynced))).flat();
      if (left.length > 0) throw new Error(left.join(', '));
      return true;
    },
    { limitMs: 60_000, everyMs: 50 },
  );
}

function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`this fleet has no ${key}`);
  return value;
}
