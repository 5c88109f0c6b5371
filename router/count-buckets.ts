// How many buckets each cell is the home of, cut-overs included, and how many are still to be cut over. Pure.
import { lastKnownHome, type CutOvers } from './find-home.ts';
import type { Placement } from './placement/placement.ts';

/** `moving`: by name of the cell that they are to be cut over to, in order of names. */
export type CellBuckets = { owned: number; moving: Readonly<Record<string, number>> };

/** Of every cell of the placement. */
export function countBuckets(
  placement: Pick<Placement, 'cells' | 'bucketsOf' | 'unsettledBuckets' | 'locateBucket'>,
  cutOvers: CutOvers,
): Map<string, CellBuckets> {
  const owned = new Map(placement.cells.map((cell) => [cell, placement.bucketsOf(cell)]));
  const moving = new Map<string, Map<string, number>>();
  for (const bucket of placement.unsettledBuckets) {
    const location = placement.locateBucket(bucket);
    const { home, movingTo } = lastKnownHome(location, cutOvers);
    add(owned, location.home, -1);
    add(owned, home, 1);
    if (movingTo === null) continue;
    const ofHome = moving.get(home) ?? new Map<string, number>();
    moving.set(home, ofHome);
    add(ofHome, movingTo, 1);
  }
  return new Map(
    placement.cells.map((cell) => [
      cell,
      { owned: owned.get(cell) ?? 0, moving: byName(moving.get(cell) ?? new Map()) },
    ]),
  );
}

function add(counts: Map<string, number>, cell: string, more: number): void {
  counts.set(cell, (counts.get(cell) ?? 0) + more);
}

function byName(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
