// Where buckets and tenants are at home by a placement and the cut-overs on record, as far as is known. Pure.
import { countBuckets } from '../count-buckets.ts';
import { lastKnownHome, leftBehind, type CutOvers, type Home } from '../find-home.ts';
import { tenantHomes } from '../health/verdicts/moved.ts';
import { initialRecord, type HealthRecord } from '../health/record.ts';
import { BUCKETS } from '../placement/hash.ts';
import type { Placement } from '../placement/placement.ts';

export type Homes = {
  ofBucket(bucket: number): Home;
  ofTenant(tenant: string): Home;
  /** The cells that a bucket which is not settled has left behind, or has passed by. */
  leftBehind(bucket: number): readonly string[];
  /** How many buckets the cell is the home of. */
  bucketsOf(cell: string): number;
};

/** `records`: at least those of homes that something was moved from. */
export function homesOf(placement: Placement, records: readonly HealthRecord[]): Homes {
  const byHome = new Map(records.map((record) => [record.home, record]));
  const moved = tenantHomes(records);
  const cutOvers: CutOvers = {
    recordOf: (home) => byHome.get(home) ?? initialRecord(home, null),
    knows: () => true,
    movedTenant(tenant) {
      const home = moved.get(tenant);
      return home !== undefined && placement.cells.includes(home) ? home : null;
    },
    // A plan looks at what is known, be it of later generations or not.
    isOvertaken: () => false,
  };
  const buckets = countBuckets(placement, cutOvers);
  return {
    ofBucket: (bucket) => lastKnownHome(placement.locateBucket(bucket), cutOvers),
    ofTenant: (tenant) => lastKnownHome(placement.locate(tenant), cutOvers),
    leftBehind: (bucket) => leftBehind(placement.locateBucket(bucket), cutOvers),
    bucketsOf: (cell) => buckets.get(cell)?.owned ?? 0,
  };
}

/** How many buckets each cell has once every cut-over is done. */
export function finalBuckets(homes: Pick<Homes, 'ofBucket'>): Map<string, number> {
  const counts = new Map<string, number>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const owner = ownerOf(homes, bucket);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

/** Where a bucket is once it is cut over. */
export function ownerOf(homes: Pick<Homes, 'ofBucket'>, bucket: number): string {
  const { home, movingTo } = homes.ofBucket(bucket);
  return movingTo ?? home;
}
