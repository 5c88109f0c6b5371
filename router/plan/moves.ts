// What a new placement moves, and where the load goes with it. Pure.
import type { Load } from '../health/load.ts';
import { BUCKETS } from '../placement/hash.ts';
import type { Location, Placement } from '../placement/placement.ts';
import { add, NO_LOAD, times } from './loads.ts';

/**
 * `activation`: at once, when the new file takes effect (a settled generation or pin: its data must be there already) ·
 * `cut-over`: the old home serves it until its cut-over is recorded.
 */
export type MoveAt = 'activation' | 'cut-over';
export type Move = { from: string; to: string; at: MoveAt };
export type BucketMove = Move & { buckets: number };
export type TenantMove = Move & { tenant: string };

/** How many buckets move, by from where to where; in order of names. What was outstanding before is no move of this file. */
export function bucketMoves(before: Placement, after: Placement): { moves: BucketMove[]; moved: number } {
  const moves = new Map<string, BucketMove>();
  let moved = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const ofBucket = movesOf(before.locateBucket(bucket), after.locateBucket(bucket));
    if (ofBucket.length > 0) moved += 1;
    for (const move of ofBucket) {
      const key = `${move.from} ${move.to} ${move.at}`;
      const known = moves.get(key);
      if (known === undefined) moves.set(key, { ...move, buckets: 1 });
      else known.buckets += 1;
    }
  }
  const byName = [...moves].sort(([a], [b]) => (a < b ? -1 : 1));
  return { moves: byName.map(([, move]) => move), moved };
}

/** The tenants that a new, changed or removed pin moves, in the order given. */
export function tenantMoves(before: Placement, after: Placement, pinned: Iterable<string>): TenantMove[] {
  return [...pinned].flatMap((tenant) =>
    movesOf(before.locate(tenant), after.locate(tenant)).map((move) => ({ tenant, ...move })),
  );
}

function movesOf(before: Location, after: Location): Move[] {
  const moves: Move[] = [];
  if (after.home !== before.home) moves.push({ from: before.home, to: after.home, at: 'activation' });
  const outstanding = after.home === before.home && after.movingTo === before.movingTo;
  if (after.movingTo !== null && !outstanding) {
    moves.push({ from: after.home, to: after.movingTo, at: 'cut-over' });
  }
  return moves;
}

/** How many buckets each cell has once every cut-over is done. */
export function finalBuckets(placement: Placement): Map<string, number> {
  const counts = new Map<string, number>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const owner = ownerOf(placement, bucket);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

/**
 * The load of each home once everything has moved. A home's load is measured as a whole, so each of its buckets is
 * taken to make an equal part of it. The load of a home without buckets (its tenants are pinned) stays where it is, or
 * goes the way of all tenants where that cell is gone.
 */
export function loadsAfter(
  before: Placement,
  after: Placement,
  loads: ReadonlyMap<string, Load>,
): Map<string, Load> {
  const sums = new Map<string, Load>();
  const perBucket = new Map(
    [...loads].map(([home, load]) => [home, times(load, 1 / Math.max(1, before.bucketsOf(home)))]),
  );
  const buckets = new Map<string, number>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const key = `${before.locateBucket(bucket).home} ${ownerOf(after, bucket)}`;
    buckets.set(key, (buckets.get(key) ?? 0) + 1);
  }
  for (const [key, count] of buckets) {
    const [from = '', to = ''] = key.split(' ');
    add(sums, to, times(perBucket.get(from) ?? NO_LOAD, count));
  }
  for (const [home, load] of loads) if (before.bucketsOf(home) === 0) addUnplaced(sums, home, load, after);
  return sums;
}

function addUnplaced(sums: Map<string, Load>, home: string, load: Load, after: Placement): void {
  if (after.cells.includes(home)) {
    add(sums, home, load);
    return;
  }
  for (const [cell, count] of finalBuckets(after)) add(sums, cell, times(load, count / BUCKETS));
}

function ownerOf(placement: Placement, bucket: number): string {
  const { home, movingTo } = placement.locateBucket(bucket);
  return movingTo ?? home;
}
