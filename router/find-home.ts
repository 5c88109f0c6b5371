// Step 2b of a request: the placement and the cut-overs on record → the cell that is the tenant's home now. Pure.
import type { RefusalCode } from './errors.ts';
import { isWithin, movedSoFar, type Moves } from './health/verdicts/moved.ts';
import type { Course, Leg } from './placement/courses.ts';
import type { Location } from './placement/placement.ts';

/** What is to be known of cut-overs: answered from memory, never by asking anyone. */
export type CutOvers = {
  recordOf(home: string): Moves;
  /** Whether all that happened to the home is known here, if it is only that nothing ever did. */
  knows(home: string): boolean;
  /** The home that its own cut-overs took a tenant to; null: it had none. */
  movedTenant(tenant: string): string | null;
  /** Whether a later generation than the fleet file in force knows may have taken the bucket from this home. */
  isOvertaken(home: string, bucket: number): boolean;
};

/** `movingTo`: where it is to be cut over from that home, else null. */
export type Home = { readonly home: string; readonly movingTo: string | null };

/** `home`: the last one that is known; it may have moved on. `detail`: the reason for clients, who are told of no cell. */
export type NoHome = {
  refusal: Extract<RefusalCode, 'placement-moving'>;
  home: string;
  reason: string;
  detail: string;
};

/**
 * The one home of a tenant, or of a bucket. What is settled needs no record. All else is at home where it was, until its
 * cut-over to where it is to move is on record and open; while it is closing, the old home's record gives it no cell. It
 * is refused where it is not known whether that has happened, and where a record shows that it has by a later generation:
 * a router that was rolled back to an older file would serve it where it was.
 */
export function findHome(location: Location, cutOvers: CutOvers): Home | NoHome {
  const { unsettled } = location;
  if (unsettled === null)
    return isOvertaken(location, location.home, cutOvers) ? noHome(location.home, OVERTAKEN) : location;
  const { home, movingTo, certain } = follow(location, unsettled, cutOvers);
  if (!certain) return noHome(home, UNKNOWN);
  return isOvertaken(location, home, cutOvers) ? noHome(home, OVERTAKEN) : { home, movingTo };
}

/** The home of a tenant, by its location; null: nobody can tell whether it was moved from there. */
export function homeOf(location: Location, cutOvers: CutOvers): string | null {
  const found = findHome(location, cutOvers);
  return 'refusal' in found ? null : found.home;
}

/** Whether a tenant is at a home from which it is to be cut over to this one. */
export function movesTo(location: Location, to: string, cutOvers: CutOvers): boolean {
  const found = findHome(location, cutOvers);
  return 'movingTo' in found && found.movingTo === to;
}

type Why = { reason: (home: string) => string; detail: string };

const UNKNOWN: Why = {
  reason: (home) => `nobody can tell whether it was moved from ${home}`,
  detail: 'It is not known yet which cell has it now.',
};
const OVERTAKEN: Why = {
  reason: (home) => `it was moved from ${home} by a generation that this router's fleet file does not have`,
  detail: 'The fleet file of this router is older than where it was moved.',
};

function noHome(home: string, { reason, detail }: Why): NoHome {
  return { refusal: 'placement-moving', home, reason: reason(home), detail };
}

/** A pin does not go by its bucket. */
function isOvertaken({ bucket, pin }: Location, home: string, cutOvers: CutOvers): boolean {
  return pin === null && cutOvers.isOvertaken(home, bucket);
}

/** The same by what is known, be it little: for reports, where no request depends on it. */
export function lastKnownHome(location: Location, cutOvers: CutOvers): Home {
  if (location.unsettled === null) return location;
  const { home, movingTo } = follow(location, location.unsettled, cutOvers);
  return { home, movingTo };
}

/** The cells that a bucket has left behind on its way to where it is at home, or has passed by; none: it is settled. */
export function leftBehind({ bucket, unsettled }: Location, cutOvers: CutOvers): string[] {
  if (unsettled === null) return [];
  const at = legOf(bucket, unsettled.course, cutOvers);
  const before = unsettled.course.filter(({ generation }) => generation < at.generation);
  return before.map(({ owner }) => owner).filter((owner) => owner !== at.owner);
}

function follow(
  { bucket, pin }: Location,
  { course, tenant }: NonNullable<Location['unsettled']>,
  cutOvers: CutOvers,
): Home & { certain: boolean } {
  const leg = legOf(bucket, course, cutOvers);
  if (tenant === null) {
    const last = course.at(-1);
    const owner = last?.owner ?? leg.owner;
    const movingTo = owner === leg.owner ? null : owner;
    return { home: leg.owner, movingTo, certain: leg === last || cutOvers.knows(leg.owner) };
  }
  const home = cutOvers.movedTenant(tenant) ?? leg.owner;
  return { home, movingTo: pin === home ? null : pin, certain: cutOvers.knows(home) };
}

/**
 * How far a bucket has come on its course: to the furthest leg that an entry took it to. An entry counts in the record of
 * an owner of the course, for the buckets that it was to give to that cell by then. What a settled generation has
 * overtaken is no part of the course any more, and so are its entries.
 */
function legOf(bucket: number, course: Course, cutOvers: CutOvers): Leg {
  let at: Leg = course[0];
  for (const { owner, generation } of course) {
    for (const entry of movedSoFar(cutOvers.recordOf(owner))) {
      if ('tenant' in entry || !isWithin(bucket, entry.buckets)) continue;
      if (entry.generation <= generation) continue;
      const next = legBy(course, entry.generation);
      if (next.owner === entry.to && next.generation > at.generation) at = next;
    }
  }
  return at;
}

/** The leg that the first `generation` generations give. */
function legBy(course: Course, generation: number): Leg {
  return course.findLast((leg) => leg.generation <= generation) ?? course[0];
}
