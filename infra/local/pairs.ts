// Who stands in for whom in a local fleet, as each cell is told: whose standby it holds, where its own is, and the token.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ensureDataDir, layoutOf } from '../../cell-template/postgres/layout.ts';
import { urlOf } from '../../cell-template/postgres/running.ts';
import { parseFleet } from '../../router/fleet/load.ts';

/** For each cell its own part of the environment. `token` is what routers and cells of this run share. */
export type Pairs = { token: string; envOf: (cell: string) => Record<string, string> };

/**
 * The pairs that the placement of this fleet file makes. Where a cell's PostgreSQL will listen follows from its data
 * folder, so the folders below `folder` are made here.
 */
export async function planPairs(fleetText: string, folder: string): Promise<Pairs> {
  const { cells, placement } = parseFleet(fleetText, folder);
  const urls = new Map<string, string>();
  for (const id of cells.keys()) urls.set(id, await databaseUrlOf(join(folder, id)));
  const neighbours = new Map([...cells.keys()].map((id) => [id, placement.neighbourOf(id)]));
  const token = randomBytes(16).toString('hex');
  return { token, envOf: (cell) => ({ CELL_TOKEN: token, ...pairEnv(cell, neighbours, urls) }) };
}

/** The URL of the PostgreSQL that a cell runs itself on this data folder, which is made where it is missing. */
export async function databaseUrlOf(dataDir: string): Promise<string> {
  await ensureDataDir(dataDir);
  return urlOf(await layoutOf(dataDir));
}

/**
 * `STANDBY_OF` names the homes that this cell is the neighbour of, with the URLs of their databases, and
 * `NEIGHBOUR_DATABASE_URL` says where its own standby is. Neither is there for a cell without a pair.
 */
export function pairEnv(
  cell: string,
  neighbours: ReadonlyMap<string, string | null>,
  urls: ReadonlyMap<string, string>,
): Record<string, string> {
  const homes = [...neighbours].filter(([, neighbour]) => neighbour === cell).map(([home]) => home);
  const standbyOf = homes.map((home) => `${home}=${known(urls, home)}`).join(',');
  const neighbour = neighbours.get(cell) ?? null;
  return {
    ...(standbyOf === '' ? {} : { STANDBY_OF: standbyOf }),
    ...(neighbour === null ? {} : { NEIGHBOUR_DATABASE_URL: known(urls, neighbour) }),
  };
}

function known(urls: ReadonlyMap<string, string>, cell: string): string {
  const url = urls.get(cell);
  if (url === undefined) throw new Error(`the database of ${cell} is not known`);
  return url;
}
