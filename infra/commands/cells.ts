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
  target: string;
  epoch: number;
  share: number;
  since: string | null;
  cause: string | null;
  buckets: number;
  version: string | null;
};

const HEAD = [
  'cell',
  'state',
  'served by',
  'neighbour',
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
    cell.state,
    cell.target,
    cell.neighbour ?? '-',
    cell.zone ?? '-',
    String(cell.buckets),
    String(cell.epoch),
    cell.since ?? '-',
    cell.cause ?? '-',
    cell.version ?? '-',
  ]);
  return table(HEAD, rows);
}

/** What to print. Throws a `Failure` when no router answers. */
export async function cells({ json }: { json?: boolean }): Promise<string> {
  const told = (await askAdmin('/v1/cells')) as { cells: CellRow[] };
  return json === true ? JSON.stringify(told, null, 2) : cellsText(told.cells);
}
