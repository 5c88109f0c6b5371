// A cut-over as the store is to record it: which buckets move, and ranges that move these and no others. Pure.
import { findHome, lastKnownHome, type CutOvers } from './find-home.ts';
import { isWithin, movedSoFar, without, type Range } from './health/verdicts/moved.ts';
import type { HealthRecord, Moved } from './health/record.ts';
import type { Placement } from './placement/placement.ts';

/** The part of a placement that a cut-over needs. */
export type Unsettled = Pick<Placement, 'locateBucket' | 'unsettledBuckets' | 'generations'>;

/** Home → its buckets that are to be cut over to `to`, in order. `unknown`: the home of so many can not be told. */
export type Outstanding = { byHome: Map<string, number[]>; unknown: number };

/** What of `ranges` is still to be cut over to `to`. */
export function outstandingIn(
  placement: Unsettled,
  cutOvers: CutOvers,
  to: string,
  ranges: readonly Range[],
): Outstanding {
  const byHome = new Map<string, number[]>();
  let unknown = 0;
  for (const bucket of placement.unsettledBuckets) {
    if (!ranges.some((range) => isWithin(bucket, range))) continue;
    const found = findHome(placement.locateBucket(bucket), cutOvers);
    if ('refusal' in found) unknown += 1;
    else if (found.movingTo === to) {
      const ofHome = byHome.get(found.home);
      if (ofHome === undefined) byHome.set(found.home, [bucket]);
      else ofHome.push(bucket);
    }
  }
  return { byHome, unknown };
}

/**
 * Ranges that hold all of `buckets` (in order, at home in `from`), for one cut-over to `to`. They may hold others, which
 * it does not concern: settled ones, and those that are not to go from there to there. Neighbours in the table mostly
 * belong to different cells, so that exact ranges would be single buckets by the thousand. Where a bucket between two
 * would be moved as well, or its own cut-over be forgotten, a range ends: that takes several unsettled generations that
 * move the same buckets.
 */
export function rangesFor(
  placement: Unsettled,
  cutOvers: CutOvers,
  { from, to, buckets }: { from: string; to: string; buckets: readonly number[] },
): Range[] {
  const moving = new Set(buckets);
  const [first = 0, last = 0] = [buckets[0], buckets.at(-1)];
  const touched = placement.unsettledBuckets.filter(
    (bucket) =>
      bucket > first &&
      bucket < last &&
      !moving.has(bucket) &&
      isTouched(placement, cutOvers, from, to, bucket),
  );
  const ranges: Range[] = [];
  let next = 0;
  for (const bucket of buckets) {
    const range = ranges.at(-1);
    while ((touched[next] ?? Infinity) < (range?.[1] ?? 0)) next += 1;
    if (range === undefined || (touched[next] ?? Infinity) < bucket) ranges.push([bucket, bucket]);
    else range[1] = bucket;
  }
  return ranges;
}

/** Whether a router with this placement knows where those are at home whom a cut-over moves. */
export function canFollow(
  { moved, changing, handover }: Pick<HealthRecord, 'moved' | 'changing' | 'handover'>,
  placement: Pick<Placement, 'locate' | 'generations'>,
): boolean {
  if (handover === null || handover.to === null) return true;
  const pinned = (changing?.tenants ?? []).every(
    (tenant) => placement.locate(tenant).unsettled?.tenant === tenant,
  );
  return pinned && moved.every((entry) => 'tenant' in entry || entry.generation <= placement.generations);
}

/** Whether a range that holds this bucket changes where it is at home. */
function isTouched(
  placement: Unsettled,
  cutOvers: CutOvers,
  from: string,
  to: string,
  bucket: number,
): boolean {
  const location = placement.locateBucket(bucket);
  // Only entries of cells that it leaves, or may have left, concern it.
  const left = location.unsettled?.course.slice(0, -1) ?? [];
  if (!left.some(({ owner }) => owner === from || owner === to)) return false;
  const range: Range = [bucket, bucket];
  const kept = (home: string, only: string | null): Moved[] =>
    without(movedSoFar(cutOvers.recordOf(home)), { tenants: [], buckets: [range] }, only);
  const entry: Moved = { buckets: range, to, generation: placement.generations };
  const after = new Map([
    [from, [...kept(from, to), entry]],
    [to, kept(to, null)],
  ]);
  const { home } = lastKnownHome(location, {
    recordOf: (home) => {
      const moved = after.get(home);
      if (moved === undefined) return cutOvers.recordOf(home);
      return { phase: 'open', moved, changing: null, handover: null };
    },
    knows: (home) => cutOvers.knows(home),
    movedTenant: (tenant) => cutOvers.movedTenant(tenant),
    isOvertaken: (home, bucket) => cutOvers.isOvertaken(home, bucket),
  });
  return home !== lastKnownHome(location, cutOvers).home;
}
