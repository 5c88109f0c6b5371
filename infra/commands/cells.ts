// `cellgate cells`: every cell of the fleet as a router sees it.
import { table } from '../table.ts';
import { askAdmin } from './admin.ts';

/** One cell of `GET /v1/cells`. */
export type CellRow = {
  id: string;
  origin: string;
  zone: string | null;
  neighbour: string | null;
  state: string;
  /** `closing` while some of its tenants are being handed over. A router of an older release does not tell. */
  phase?: string;
  target: string;
  epoch: number;
  share: number;
  since: string | null;
  cause: string | null;
  buckets: number;
  /** How many of them are to be cut over, by where to. A router of an older release does not tell. */
  moving?: Record<string, number>;
  version: string | null;
  /** What the neighbour says of its standby of the cell; null: nothing. A router of an older release does not tell. */
  standby?: { state: string; lagSeconds: number | null } | null;
};

const HEAD = [
  'cell',
  'state',
  'served by',
  'neighbour',
  'standby',
  'zone',
  'buckets',
  'epoch',
  'since',
  'cause',
  'version',
];

export function cellsText(cells: readonly CellRow[]): string {
  const rows = cells.map((cell) => [
    cell.id,
    cell.phase === 'closing' ? `${cell.state}, closing` : cell.state,
    servers(cell),
    cell.neighbour ?? '-',
    standbyText(cell),
    cell.zone ?? '-',
    bucketsText(cell),
    String(cell.epoch),
    cell.since ?? '-',
    cell.cause ?? '-',
    cell.version ?? '-',
  ]);
  return table(HEAD, rows);
}

/** Both cells, where only a part of the tenants is away. */
function servers({ id, target, share }: CellRow): string {
  return share === 0 || share === 100 ? target : `${id} ${100 - share} %, ${target} ${share} %`;
}

function standbyText({ standby = null }: CellRow): string {
  if (standby === null) return '-';
  const { state, lagSeconds } = standby;
  return lagSeconds === null ? state : `${state}, ${Math.ceil(lagSeconds)} s behind`;
}

function bucketsText({ buckets, moving = {} }: CellRow): string {
  const going = Object.entries(moving).map(([to, count]) => `${count} to ${to}`);
  return going.length === 0 ? String(buckets) : `${buckets}, ${going.join(', ')}`;
}

/** What to print. Throws a `Failure` when no router answers. */
export async function cells({ json }: { json?: boolean }): Promise<string> {
  const told = (await askAdmin('/v1/cells')) as { cells: CellRow[] };
  return json === true ? JSON.stringify(told, null, 2) : cellsText(told.cells);
}
