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

/** For the weights that beats tell: they come once a second, and a count takes some 10 ms of every request's time. */
const OLD_ENOUGH_MS = 10_000;

type Counted = {
  placement: Placement;
  moves: number;
  atMs: number;
  buckets: ReadonlyMap<string, CellBuckets>;
};

/** Keeps the last count until something that it depends on has changed. */
export class BucketCounts {
  #counted: Counted | null = null;

  /** `moves`: another number whenever what was cut over may have changed. */
  now(placement: Placement, moves: number, cutOvers: CutOvers): ReadonlyMap<string, CellBuckets> {
    const known = this.#counted;
    if (known?.placement === placement && known.moves === moves) return known.buckets;
    const buckets = countBuckets(placement, cutOvers);
    this.#counted = { placement, moves, atMs: performance.now(), buckets };
    return buckets;
  }

  /** The same, as it was some seconds ago at worst. */
  lately(placement: Placement, moves: number, cutOvers: CutOvers): ReadonlyMap<string, CellBuckets> {
    const known = this.#counted;
    const fresh = known?.placement === placement && performance.now() - known.atMs < OLD_ENOUGH_MS;
    return fresh ? known.buckets : this.now(placement, moves, cutOvers);
  }
}

function add(counts: Map<string, number>, cell: string, more: number): void {
  counts.set(cell, (counts.get(cell) ?? 0) + more);
}

function byName(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
