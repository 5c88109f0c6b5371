// Placement: tenant → bucket → home cell and its neighbour, a pure function of the fleet's history and pins.
import { dealAll, type Course, type Table } from './courses.ts';
import { countOf } from './deal.ts';
import { bucketOf, BUCKETS } from './hash.ts';
import { historyFaults } from './history-faults.ts';
import { replay, type PlacementInput } from './history.ts';
import { neighboursOf } from './neighbours.ts';

export { historyFaults } from './history-faults.ts';
export type { PlacementInput } from './history.ts';

/** Where a tenant lives, as far as the fleet file can say. */
export type Location = {
  readonly bucket: number;
  /** The cell that is its home where nothing was cut over. */
  readonly home: string;
  /** Where it is to move from that home, else null. */
  readonly movingTo: string | null;
  /** The cell of the tenant's pin, settled or not, or null. */
  readonly pin: string | null;
  /** What the records are to be asked of (`find-home.ts`); null: nothing, all of it is settled. */
  readonly unsettled: Unsettled | null;
};

/** The course of the bucket, and the tenant where its own pin is not settled. */
export type Unsettled = { readonly course: Course; readonly tenant: string | null };

/** The answers of one fleet file. All of it is immutable; a new file gets a new placement. */
export interface Placement {
  /** Every cell that is a member or may still be the home of buckets, in order of name. */
  readonly cells: readonly string[];
  /** Where a tenant lives. A pin beats its bucket. */
  locate(tenant: string): Location;
  /** Where a bucket lives, for requests without a tenant. Throws a RangeError outside 0–65,535. */
  locateBucket(bucket: number): Location;
  /** The cell that stands in for `cell`; null for the only member and for a cell not in `cells`. */
  neighbourOf(cell: string): string | null;
  /** How many buckets have `cell` as their home where nothing was cut over. */
  bucketsOf(cell: string): number;
  /** The buckets that are not settled, in order. */
  readonly unsettledBuckets: readonly number[];
  /** How many generations the history has. */
  readonly generations: number;
}

/** The placement of a history. Throws a RangeError with the first fault if `historyFaults` finds any. */
export function buildPlacement(input: PlacementInput): Placement {
  const [fault] = historyFaults(input);
  if (fault !== undefined) throw new RangeError(`${fault.path}: ${fault.problem}`);
  const steps = replay(input);
  const table = dealAll(steps, BUCKETS);
  const buckets = countOf(table.homes);
  const members = steps.at(-1)?.members ?? new Map<string, number>();
  const cells = [...new Set([...members.keys(), ...possibleHomes(table)])].sort();
  const neighbours = neighboursOf(input, steps);
  const neighbourOf = new Map(cells.map((cell) => [cell, neighbours.get(cell) ?? null]));
  return {
    cells,
    ...lookups(table, input.pins),
    neighbourOf: (cell) => neighbourOf.get(cell) ?? null,
    bucketsOf: (cell) => buckets.get(cell) ?? 0,
    unsettledBuckets: [...table.courses.keys()].filter((bucket) => (table.courses[bucket]?.length ?? 0) > 1),
    generations: input.generations.length,
  };
}

/** A cell that came and left again may have got buckets in between. */
function possibleHomes({ courses }: Table): Set<string> {
  return new Set([...new Set(courses)].flatMap((course) => course.map(({ owner }) => owner)));
}

/**
 * The hot path: one hash, and reads of arrays that stay in the processor's cache. Measured: a ready-made answer for
 * each bucket, instead of the one made here, took 130 ns more, because 65,536 objects do not stay there.
 */
function lookups(table: Table, pins: PlacementInput['pins']): Pick<Placement, 'locate' | 'locateBucket'> {
  const courses = [...new Set(table.courses)];
  const answers = courses.map(answerOf);
  const numbers = new Map(courses.map((course, number) => [course, number]));
  const numberOf = Uint16Array.from(table.courses, (course) => numbers.get(course) ?? 0);
  function locateBucket(bucket: number): Location {
    const answer = answers[numberOf[bucket] ?? -1];
    if (answer === undefined) throw new RangeError(`no bucket ${bucket} (allowed: 0–${BUCKETS - 1})`);
    const { home, movingTo, unsettled } = answer;
    return { bucket, home, movingTo, pin: null, unsettled };
  }
  const pinned = new Map(
    [...pins].map(([tenant, pin]) => [
      tenant,
      pinnedLocation(tenant, pin, locateBucket(bucketOf(tenant)), table),
    ]),
  );
  return {
    locateBucket,
    locate(tenant) {
      const location = pinned.size === 0 ? undefined : pinned.get(tenant);
      return location ?? locateBucket(bucketOf(tenant));
    },
  };
}

/** What all buckets of a course have in common. */
function answerOf(course: Course): Pick<Location, 'home' | 'movingTo' | 'unsettled'> {
  const [{ owner: home }] = course;
  if (course.length === 1) return { home, movingTo: null, unsettled: null };
  const owner = course.at(-1)?.owner ?? home;
  return { home, movingTo: owner === home ? null : owner, unsettled: { course, tenant: null } };
}

/** An unsettled pin leaves the tenant at its present home, and says where it is to move. */
function pinnedLocation(
  tenant: string,
  { cell, settled }: { cell: string; settled: boolean },
  { bucket, home }: Location,
  { courses }: Table,
): Location {
  const course = courses[bucket];
  if (settled || course === undefined) {
    return { bucket, home: cell, movingTo: null, pin: cell, unsettled: null };
  }
  return {
    bucket,
    home,
    movingTo: cell === home ? null : cell,
    pin: cell,
    unsettled: { course, tenant },
  };
}
