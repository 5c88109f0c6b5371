// Who may have killed a cell: the tenants that were in flight in it as it died, narrowed from death to death. Pure;
// `scripts/suspects.lua` finds the same ones.
import type { Culprit } from './quarantine.ts';
import { isTenantId } from '../../tenant-id.ts';
import { tally, voteOf, type LiveVotes } from './tally.ts';

/** Deaths further apart than this have nothing to do with each other. */
const SUSPECT_MS = 600_000;
/**
 * All live machines have a say in who was in flight: a death is judged when each of them finds the cell unreachable, and
 * this long after the first one told of it at the latest: who had requests in it knows at once.
 */
const JUDGE_AFTER_MS = 1_000;
/** A death that no majority has seen by then was none. */
const CONFIRM_MS = 5_000;

/**
 * So many deaths of the pair tell who kills them, where only one tenant was in flight at all of them: two that happen to
 * die beside one another say nothing of a tenant that always has a request inside.
 */
const DEATHS_THAT_TELL = 3;
const DEATHS_KEPT = 10;

/** More tenants than this in flight in a cell tell nobody apart: in the eyes of one machine, and of all. */
export const IN_FLIGHT_MAX = 200;
const SUSPECTS_MAX = 1_000;
/** One beat tells of so many deaths and of so many that fail alone; the rest is dropped. */
const TOLD_MAX = 100;

/**
 * A tenant with a request in a cell. `again`: the same request was in another cell before, as that one died, and had only
 * just come to this one.
 */
export type InFlight = { home: string; tenant: string; again: boolean };

/** One machine lost a cell. `many`: too many tenants were in flight, and `tenants` says nothing. */
export type Death = { cell: string; many: boolean; tenants: readonly InFlight[] };

/** One tenant has all of the bad answers of a cell that answers the others well. */
export type Failing = { cell: string; home: string; tenant: string };

/** What one machine has seen since it last told. Telling it twice changes nothing. */
export type Accusations = { deaths: readonly Death[]; failing: readonly Failing[] };

/** A cell that machines told the death of, until the majority finds it there again. `at`: when the first one told. */
export type Dying = { at: number; judged: boolean; many: boolean; tenants: readonly InFlight[] };

export type CellDeath = { cell: string; at: number };

/** Of one home: who was in flight at all of these deaths, the oldest first; `again`: who by a request of the one before. */
export type Suspicion = { died: readonly CellDeath[]; tenants: readonly string[]; again: readonly string[] };

export type Suspects = {
  /** By cell. */
  dying: ReadonlyMap<string, Dying>;
  /** By home. */
  suspicions: ReadonlyMap<string, Suspicion>;
};

export type Sight = {
  now: number;
  live: LiveVotes;
  /** The machines that beat may not be all there are: nobody is judged yet. */
  warmingUp: boolean;
  accusations: Accusations;
};

type Judging = {
  sight: Sight;
  dying: Map<string, Dying>;
  suspicions: Map<string, Suspicion>;
  culprits: Culprit[];
};

/**
 * Takes in what a machine saw, judges the deaths that are ripe, and answers the culprits.
 *
 * One who was in flight as both cells of its pair died, within ten minutes, is a culprit where nobody else was, and its
 * very same request was in both, or it was at three deaths of theirs. Beside others who were there each time it is one where
 * the same happened twice with a request of its own, and of none of theirs: once may be chance. Else they stay suspects, and
 * the next death of either cell says more. One that fails alone is a culprit while the majority finds its cell up.
 */
export function judge(before: Suspects, sight: Sight): Suspects & { culprits: Culprit[] } {
  const judging: Judging = {
    sight,
    dying: new Map([...before.dying].filter(([cell, death]) => isStillDying(cell, death, sight))),
    suspicions: stillSuspected(before.suspicions, sight.now),
    culprits: [],
  };
  for (const death of sight.accusations.deaths) take(death, judging);
  if (!sight.warmingUp) {
    for (const cell of [...judging.dying.keys()].sort()) judgeDeath(cell, judging);
    for (const failing of sight.accusations.failing) judgeFailing(failing, judging);
  }
  const { dying, suspicions, culprits } = judging;
  return { dying, suspicions, culprits };
}

/** A death that is too old is forgotten for good: a clock that is set back must not bring it back. */
function stillSuspected(before: Suspects['suspicions'], now: number): Map<string, Suspicion> {
  const left = new Map<string, Suspicion>();
  for (const [home, suspicion] of before) {
    const died = recent(suspicion.died, now);
    if (died.length > 0) left.set(home, { ...suspicion, died });
  }
  return left;
}

/** It was judged, and the majority does not find it down any more; or it never did. */
function isStillDying(cell: string, { at, judged }: Dying, { now, live }: Sight): boolean {
  if (tally(live, cell).verdict === 'down') return true;
  return !judged && Math.abs(now - at) < CONFIRM_MS;
}

/** What is told of a death after it was judged comes too late. */
function take({ cell, many, tenants }: Death, { dying, sight }: Judging): void {
  const known = dying.get(cell) ?? { at: sight.now, judged: false, many: false, tenants: [] };
  if (known.judged) return;
  const all = new Map(known.tenants.map((one) => [`${one.home} ${one.tenant}`, one]));
  for (const one of tenants) {
    const key = `${one.home} ${one.tenant}`;
    all.set(key, { ...one, again: one.again || all.get(key)?.again === true });
  }
  const tooMany = known.many || many || all.size > SUSPECTS_MAX;
  dying.set(cell, { ...known, many: tooMany, tenants: tooMany ? [] : [...all.values()] });
}

function judgeDeath(cell: string, judging: Judging): void {
  const { sight, dying, suspicions, culprits } = judging;
  const death = dying.get(cell);
  if (death === undefined || death.judged || !isRipe(cell, death, sight)) return;
  dying.set(cell, { ...death, judged: true, tenants: [] });
  for (const home of [...new Set(death.tenants.map((one) => one.home))].sort()) {
    const inFlight = death.tenants.filter((one) => one.home === home);
    const before = suspicions.get(home);
    const suspicion = narrowed(before, cell, inFlight, sight.now);
    const culprit = singledOut(suspicion, before, inFlight);
    suspicions.set(home, suspicion);
    if (culprit === null) continue;
    suspicions.delete(home);
    const reason = 'in flight as its home died, and as its neighbour did';
    culprits.push({ tenant: culprit, home, reason, saw: { died: cellsOf(suspicion) } });
  }
}

function isRipe(cell: string, { at }: Dying, { now, live }: Sight): boolean {
  if (tally(live, cell).verdict !== 'down') return false;
  if (Math.abs(now - at) >= JUDGE_AFTER_MS) return true;
  return [...live.keys()].every((machine) => {
    const vote = voteOf(live, machine, cell);
    return vote?.opinion === 'down' && vote.evidence === 'unreachable';
  });
}

/** Where nobody was in flight this time and before, this death has another cause than those, and is the first of its own. */
function narrowed(
  known: Suspicion | undefined,
  cell: string,
  inFlight: readonly InFlight[],
  now: number,
): Suspicion {
  const tenants = inFlight.map(({ tenant }) => tenant);
  const both = tenants.filter((tenant) => known?.tenants.includes(tenant));
  const death = { cell, at: now };
  if (known === undefined || both.length === 0) return { died: [death], tenants, again: [] };
  const again = both.filter((tenant) => known.again.includes(tenant) || isAgain(tenant, inFlight));
  return { died: [...recent(known.died, now), death].slice(-DEATHS_KEPT), tenants: both, again };
}

function singledOut(
  suspicion: Suspicion,
  before: Suspicion | undefined,
  inFlight: readonly InFlight[],
): string | null {
  const { died, tenants } = suspicion;
  if (cellsOf(suspicion).length < 2) return null;
  const [alone = '', ...others] = tenants;
  if (others.length === 0) return died.length >= DEATHS_THAT_TELL || isAgain(alone, inFlight) ? alone : null;
  const [culprit = null, ...more] = tenants.filter(
    (tenant) => before?.again.includes(tenant) === true && isAgain(tenant, inFlight),
  );
  return more.length === 0 ? culprit : null;
}

function isAgain(tenant: string, inFlight: readonly InFlight[]): boolean {
  return inFlight.some((one) => one.again && one.tenant === tenant);
}

function cellsOf({ died }: Suspicion): string[] {
  return [...new Set(died.map(({ cell }) => cell))].sort();
}

function recent(died: readonly CellDeath[], now: number): CellDeath[] {
  return died.filter(({ at }) => Math.abs(now - at) < SUSPECT_MS);
}

/** The cell itself is well by all accounts, so that nothing of it need be moved. */
function judgeFailing({ cell, home, tenant }: Failing, { sight, culprits }: Judging): void {
  if (tally(sight.live, cell).verdict !== 'up') return;
  const reason = 'failed alone, while its cell answered the others';
  culprits.push({ tenant, home, reason, saw: { failing: cell } });
}

/** The same, less what is too much of it, or no tenant's name. */
export function boundedAccusations({ deaths, failing }: Accusations): Accusations {
  return {
    deaths: deaths.slice(0, TOLD_MAX).map(({ cell, many, tenants }) => {
      const tooMany = many || tenants.length > IN_FLIGHT_MAX;
      return { cell, many: tooMany, tenants: tooMany ? [] : tenants.filter(isOfTenant) };
    }),
    failing: failing.slice(0, TOLD_MAX).filter(isOfTenant),
  };
}

function isOfTenant({ tenant }: { tenant: string }): boolean {
  return isTenantId(tenant);
}
