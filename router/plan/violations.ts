// What stands against losing a cell now, and the sentence that says so. Pure.
import type { PlanRow, Standing } from './n-minus-one.ts';

export type Rule =
  /** Nobody stands in for it. */
  | 'no-neighbour'
  /** The neighbour is found down. */
  | 'neighbour-down'
  /** The neighbour's own tenants are at its neighbour: failover never chains. */
  | 'neighbour-away'
  /** The neighbour has no synced standby of it, and the fleet requires one. */
  | 'no-standby'
  /** One zone's loss takes both, though there are others. */
  | 'same-zone'
  /** The neighbour would have more than it can carry, by the load that was measured. */
  | 'over-capacity'
  /** Not all routers told their load: whether a neighbour can carry a cell is not known. */
  | 'load-unknown'
  /** Of a new file: it changes what the history was, and may move what nobody meant to move. */
  | 'history-changed'
  /** Of a new file: buckets would be at home again where a cut-over took them from, without another one. */
  | 'taken-back'
  /** Of a new file: a tenant moves when it takes effect, though its pin is not settled. */
  | 'moved-at-once';

/** `cell`: which one's loss it concerns; null: none alone. */
export type Violation = { cell: string | null; rule: Rule; detail: string };

/**
 * `neighbour`: how the neighbour stands; null: there is none. `sameZone`: it is in this cell's, and there are others.
 * `lacksStandby`: of this cell, and one is required.
 */
export function violationsOf(
  { cell, zone, neighbour: name, percent }: Omit<PlanRow, 'violations'>,
  neighbour: Standing | null,
  { sameZone, lacksStandby }: { sameZone: boolean; lacksStandby: boolean },
): Violation[] {
  if (name === null || neighbour === null) {
    return [{ cell, rule: 'no-neighbour', detail: 'nobody stands in for it' }];
  }
  const found: [boolean, Rule, string][] = [
    [neighbour.down, 'neighbour-down', `${name} is down itself`],
    [neighbour.target !== name, 'neighbour-away', `the tenants of ${name} are at ${neighbour.target}`],
    [lacksStandby, 'no-standby', `${name} has no synced standby of it`],
    [sameZone, 'same-zone', `${name} is in ${zone ?? 'no zone'} too, and there are others`],
    [(percent ?? 0) > 100, 'over-capacity', `${name} would need ${inWords(percent)} % of its capacity`],
  ];
  return found.flatMap(([holds, rule, detail]) => (holds ? [{ cell, rule, detail }] : []));
}

/** Rounded up, so that it never says that 100 % are too much. */
function inWords(percent: number | null): string {
  return String(Math.ceil(percent ?? 0));
}

/** `told` of `live` routers told their load. What the others carry may be what is too much. */
export function unknownLoad({ told, live }: { told: number; live: number }): Violation[] {
  if (told > 0 && told >= live) return [];
  return [{ cell: null, rule: 'load-unknown', detail: `${told} of ${live} routers told their load` }];
}
