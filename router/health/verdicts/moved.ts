// What was moved to other homes, read off the records. Pure.
import type { Changing, HealthRecord, Moved } from '../record.ts';

/** What of a record tells of moves. */
export type Moves = Pick<HealthRecord, 'phase' | 'moved' | 'changing' | 'handover'>;

/**
 * What is moved from one home: so many entries of buckets, and of tenants. A cell shows the rules of two homes in its health
 * answer, whose size is bounded: with names of the greatest length, and all the pins that there can be, they fill nine tenths.
 */
export const MOVES_MOST = { ranges: 1_000, tenants: 500 };

const NOTHING: Changing = { tenants: [], buckets: [] };

/** What has moved away from a home by now: what a cut-over in closing is about has not, yet. */
export function movedSoFar({ phase, moved, changing, handover }: Moves): readonly Moved[] {
  if (phase === 'open' || changing === null) return moved;
  if (handover !== null) return handover.from.moved;
  // A cell told of it, and cells are not told what was before: what is changing was entered last.
  return moved.slice(0, moved.length - entered(moved, changing));
}

/**
 * Whether it is a pin that changes by a closing record that only a cell has told of. A cut-over has entered its tenants in
 * `moved`, and one that was moved to another home has no pin here.
 */
export function changesPin({ moved, changing }: Pick<Moves, 'moved' | 'changing'>): boolean {
  return changing !== null && changing.tenants.length > 0 && entered(moved, changing) === 0;
}

/** How many entries a closing cut-over has added, the last ones: of a pin that changes none is there. */
function entered(moved: readonly Moved[], { buckets, tenants }: Changing): number {
  const names = [...buckets.map(String), ...tenants];
  const first = moved.length - names.length;
  const areThese = names.every((name, i) => {
    const entry = moved[first + i];
    return entry !== undefined && name === ('tenant' in entry ? entry.tenant : String(entry.buckets));
  });
  return areThese ? names.length : 0;
}

/**
 * What has moved once the handover is open: what it has entered, and of what was entered before for the same cell only what
 * is left. While it is closing both are there, so that a cell shows, too, what was before.
 */
export function movedAfter({ moved, changing, handover }: HealthRecord): Moved[] {
  if (changing === null || handover === null || handover.to === null) return moved;
  const { length } = handover.from.moved;
  return [...without(moved.slice(0, length), changing, handover.to), ...moved.slice(length)];
}

/**
 * What is left of these entries where something came back, or is entered anew: ranges lose the buckets, and tenants go.
 * `to`: only ranges that went there do. A range is about the buckets that the file gives to its cell, so that those to
 * others may overlap it, and a cell that leaves has one such range for each of its heirs.
 */
export function without(
  moved: readonly Moved[],
  { tenants, buckets }: Changing = NOTHING,
  to: string | null = null,
): Moved[] {
  return moved.flatMap((entry): Moved[] => {
    if ('tenant' in entry) return tenants.includes(entry.tenant) ? [] : [entry];
    if (to !== null && entry.to !== to) return [entry];
    let ranges = [entry.buckets];
    for (const taken of buckets) ranges = ranges.flatMap((range) => lessThan(range, taken));
    return ranges.map((range) => ({ ...entry, buckets: range }));
  });
}

/** A range less another one: none, one or two ranges. */
function lessThan([from, to]: [number, number], [first, last]: [number, number]): [number, number][] {
  if (last < from || first > to) return [[from, to]];
  const left: [number, number][] = first > from ? [[from, first - 1]] : [];
  const right: [number, number][] = last < to ? [[last + 1, to]] : [];
  return [...left, ...right];
}

/** Whether more is moved from the home than a record can hold, once the cut-over is open. */
export function movesTooMuch(
  { moved }: Pick<HealthRecord, 'moved'>,
  changing: Changing,
  to: string,
): boolean {
  const left = without(moved, changing, to);
  const tenants = left.filter((entry) => 'tenant' in entry).length;
  const ranges = left.length - tenants;
  return (
    ranges + changing.buckets.length > MOVES_MOST.ranges ||
    tenants + changing.tenants.length > MOVES_MOST.tenants
  );
}

/** Buckets, both ends included. */
export type Range = [number, number];

export function isWithin(bucket: number, [from, to]: Range): boolean {
  return bucket >= from && bucket <= to;
}

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
