// What was moved to other homes, read off the records. Pure.
import type { HealthRecord, Moved } from './record.ts';

/** What of a record tells of moves. */
export type Moves = Pick<HealthRecord, 'phase' | 'moved' | 'changing' | 'handover'>;

/** What has moved away from a home by now: what a cut-over in closing is about has not, yet. */
export function movedSoFar({ phase, moved, changing, handover }: Moves): readonly Moved[] {
  if (phase === 'open' || changing === null) return moved;
  if (handover !== null) return handover.from.moved;
  // A cell told of it, and cells are not told what was before: what is changing was entered last.
  return moved.slice(0, Math.max(0, moved.length - changing.buckets.length - changing.tenants.length));
}

/** Buckets, both ends included. */
export type Range = readonly [number, number];

/**
 * Home → the ranges that were cut over from it by later generations than the first so many. A range may hold buckets that
 * it did not concern; which ones, only a file that has the generation can tell.
 */
export function rangesBeyond(
  records: Iterable<HealthRecord>,
  generations: number,
): Map<string, readonly Range[]> {
  const beyond = new Map<string, Range[]>();
  for (const record of records) {
    const ranges = movedSoFar(record).flatMap((entry) =>
      'buckets' in entry && entry.generation > generations ? [entry.buckets] : [],
    );
    if (ranges.length > 0) beyond.set(record.home, ranges);
  }
  return beyond;
}

/**
 * Tenant → the home that its own cut-overs took it to, step by step from home to home. A home that gets a tenant back
 * forgets that it ever moved it away, so that each way has one end.
 */
export function tenantHomes(records: Iterable<HealthRecord>): Map<string, string> {
  const steps = new Map<string, Step[]>();
  for (const record of records) {
    for (const entry of movedSoFar(record)) {
      if (!('tenant' in entry)) continue;
      const step = { from: record.home, to: entry.to, at: record.since ?? 0 };
      steps.set(entry.tenant, [...(steps.get(entry.tenant) ?? []), step]);
    }
  }
  return new Map([...steps].map(([tenant, ofTenant]) => [tenant, endOf(ofTenant)]));
}

type Step = { from: string; to: string; at: number };

/** While one of two records that change together is not known here yet, a way may close up: then the newest step counts. */
function endOf(steps: readonly Step[]): string {
  const left = new Set(steps.map(({ from }) => from));
  const last = steps.filter(({ to }) => !left.has(to));
  const [newest] = (last.length > 0 ? last : steps).toSorted((a, b) => b.at - a.at);
  return newest?.to ?? '';
}
