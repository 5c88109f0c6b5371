// The tables of a history: who owns each bucket, and by way of whom it may still be on its way there.
import { deal, dealAgain } from './deal.ts';
import type { Step } from './history.ts';

/** From the first `generation` generations on, `owner` owns the bucket. */
export type Leg = { readonly generation: number; readonly owner: string };

/**
 * What is not settled of a bucket: its home by the last settled generation that moved it, and then each owner that later
 * ones gave it. A bucket of one leg is settled; one of several is at the owner of one of them, by what was cut over.
 */
export type Course = readonly [Leg, ...Leg[]];

/**
 * Bucket → the cell that owns it by the last generation, the cell that is its home where nothing was cut over, and its
 * course. Equal courses are one object: there are few.
 */
export type Table = { owners: readonly string[]; homes: readonly string[]; courses: readonly Course[] };

/**
 * The table after the last step. A settled step makes the new owner of each bucket that it moved its home; an unsettled
 * one changes no home. `buckets` is a parameter so that thousands of histories can be tried with fewer of them.
 */
export function dealAll(steps: readonly Step[], buckets: number): Table {
  let table: Pick<Table, 'owners' | 'courses'> = { owners: [], courses: [] };
  for (const [index, { members, settled }] of steps.entries()) {
    const { owners: before } = table;
    const owners = index === 0 ? deal(members, buckets) : dealAgain(members, before);
    table = { owners, courses: extended(table, owners, index + 1, settled) };
  }
  return { ...table, homes: table.courses.map(([{ owner }]) => owner) };
}

function extended(
  before: Pick<Table, 'owners' | 'courses'>,
  owners: readonly string[],
  generation: number,
  settled: boolean,
): Course[] {
  const known = new Map<Course | null, Map<string, Course>>();
  return owners.map((owner, bucket) => {
    const course = before.courses[bucket];
    if (course !== undefined && owner === before.owners[bucket]) return course;
    const from = settled || course === undefined ? null : course;
    const byOwner = known.get(from) ?? new Map<string, Course>();
    known.set(from, byOwner);
    const leg = { generation, owner };
    const next: Course = byOwner.get(owner) ?? (from === null ? [leg] : [...from, leg]);
    byOwner.set(owner, next);
    return next;
  });
}
