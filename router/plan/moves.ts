// What a new placement moves, and where the load goes with it. Pure.
import type { Load } from '../health/load.ts';
import { BUCKETS } from '../placement/hash.ts';
import type { Home } from '../find-home.ts';
import { finalBuckets, ownerOf, type Homes } from './homes.ts';
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
export function bucketMoves(before: Homes, after: Homes): { moves: BucketMove[]; moved: number } {
  const moves = new Map<string, BucketMove>();
  let moved = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const ofBucket = movesOf(before.ofBucket(bucket), after.ofBucket(bucket));
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

/**
 * The buckets that the new file takes back, by from where to where: a cut-over has brought them further, and nothing says
 * that their old home has what was written since.
 */
export function takenBack(before: Homes, after: Homes): (Pick<Move, 'from' | 'to'> & { buckets: number })[] {
  const moves = new Map<string, { from: string; to: string; buckets: number }>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const behind = before.leftBehind(bucket);
    if (behind.length === 0) continue;
    const [{ home: from }, { home: to }] = [before.ofBucket(bucket), after.ofBucket(bucket)];
    if (from === to || !behind.includes(to)) continue;
    const known = moves.get(`${from} ${to}`) ?? { from, to, buckets: 0 };
    moves.set(`${from} ${to}`, { ...known, buckets: known.buckets + 1 });
  }
  return [...moves.values()];
}

/** The tenants that a new, changed or removed pin moves, in the order given. */
export function tenantMoves(before: Homes, after: Homes, pinned: Iterable<string>): TenantMove[] {
  return [...pinned].flatMap((tenant) =>
    movesOf(before.ofTenant(tenant), after.ofTenant(tenant)).map((move) => ({ tenant, ...move })),
  );
}

function movesOf(before: Home, after: Home): Move[] {
  const moves: Move[] = [];
  if (after.home !== before.home) moves.push({ from: before.home, to: after.home, at: 'activation' });
  const outstanding = after.home === before.home && after.movingTo === before.movingTo;
  if (after.movingTo !== null && !outstanding) {
    moves.push({ from: after.home, to: after.movingTo, at: 'cut-over' });
  }
  return moves;
}

/**
 * The load of each home once everything has moved. A home's load is measured as a whole, so each of its buckets is
 * taken to make an equal part of it. The load of a home without buckets (its tenants are pinned) stays where it is, or
 * goes the way of all tenants where that cell is gone: `cells` are those of the new fleet.
 */
export function loadsAfter(
  before: Homes,
  after: Homes,
  cells: readonly string[],
  loads: ReadonlyMap<string, Load>,
): Map<string, Load> {
  const sums = new Map<string, Load>();
  const perBucket = new Map(
    [...loads].map(([home, load]) => [home, times(load, 1 / Math.max(1, before.bucketsOf(home)))]),
  );
  const buckets = new Map<string, number>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const key = `${before.ofBucket(bucket).home} ${ownerOf(after, bucket)}`;
    buckets.set(key, (buckets.get(key) ?? 0) + 1);
  }
  for (const [key, count] of buckets) {
    const [from = '', to = ''] = key.split(' ');
    add(sums, to, times(perBucket.get(from) ?? NO_LOAD, count));
  }
  for (const [home, load] of loads) {
    if (before.bucketsOf(home) > 0) continue;
    if (cells.includes(home)) add(sums, home, load);
    else for (const [cell, count] of finalBuckets(after)) add(sums, cell, times(load, count / BUCKETS));
  }
  return sums;
}
