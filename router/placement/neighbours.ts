// Who stands in for whom: a permutation of the members, in which nobody stands in for itself.
import { assign } from './assignment.ts';
import type { PlacementInput, Step } from './history.ts';

type Cells = PlacementInput['cells'];
type Pairs = ReadonlyMap<string, string>;

/**
 * The neighbour of each member after the last generation, and of each cell that left the one it last had; with one
 * member it has none. Generation by generation the pairs have, in this order: the fewest within one zone, the fewest
 * changed, the first by name. A member's explicit `neighbour` then replaces its pair, and the others change as little
 * as that allows. The history must be one without faults.
 */
export function neighboursOf(input: PlacementInput, steps: readonly Step[]): Pairs {
  const last = new Map<string, string>();
  let pairs: Pairs = new Map();
  for (const { members } of steps) {
    pairs = nextPairs([...members.keys()], pairs, input.cells);
    for (const [cell, neighbour] of pairs) last.set(cell, neighbour);
  }
  const members = new Set(steps.at(-1)?.members.keys());
  const inForce = new Map(withExplicit([...members], pairs, input));
  for (const cell of last.keys()) {
    if (!members.has(cell)) inForce.set(cell, lastOf(cell, members, last, input.cells));
  }
  return inForce;
}

function nextPairs(members: readonly string[], previous: Pairs, cells: Cells): Pairs {
  if (members.length < 2) return new Map();
  return previous.size === 0 ? firstCycle(members, cells) : match(members, members, previous, cells);
}

/**
 * The order of names where it has no more pairs within a zone than it must. Else the classic rearrangement without
 * equal neighbours: the cells, largest zone first, take the places 0, 2, 4, … and then 1, 3, 5, … of a cycle. Each
 * cell's neighbour sits at the next place.
 */
function firstCycle(members: readonly string[], cells: Cells): Pairs {
  const zones = [...Map.groupBy(members, (cell) => zoneOf(cell, cells))].sort(
    ([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1),
  );
  const largest = zones[0]?.[1].length ?? 0;
  const within = members.filter(
    (cell, place) => zoneOf(cell, cells) === zoneOf(after(members, place), cells),
  );
  const mustBeWithin = Math.max(0, 2 * largest - members.length);
  const cycle = within.length === mustBeWithin ? members : interleave(zones.flatMap(([, cells]) => cells));
  return new Map(cycle.map((cell, place) => [cell, after(cycle, place)]));
}

function after(cycle: readonly string[], place: number): string {
  return at(cycle, (place + 1) % cycle.length);
}

function interleave(ordered: readonly string[]): string[] {
  const even = Math.ceil(ordered.length / 2);
  return ordered.map((_, place) => at(ordered, place % 2 === 0 ? place / 2 : even + (place - 1) / 2));
}

/** The best pairs of `homes` with as many of `standIns`, where those of `previous` are kept if that costs nothing. */
function match(homes: readonly string[], standIns: readonly string[], previous: Pairs, cells: Cells): Pairs {
  const columnOf = new Map(standIns.map((cell, column) => [cell, column]));
  const wish = homes.map((cell) => columnOf.get(previous.get(cell) ?? '') ?? -1);
  const self = homes.map((cell) => columnOf.get(cell) ?? -1);
  const homeZones = homes.map((cell) => zoneOf(cell, cells));
  const standInZones = standIns.map((cell) => zoneOf(cell, cells));
  // One pair within a zone outweighs all the changes that there can be.
  const sameZone = homes.length + 1;
  const columns = assign(standIns.length, wish, (row, column) => {
    if (self[row] === column) return Infinity;
    return (homeZones[row] === standInZones[column] ? sameZone : 0) + (wish[row] === column ? 0 : 1);
  });
  return new Map(homes.map((cell, row) => [cell, at(standIns, columns[row] ?? -1)]));
}

function withExplicit(members: readonly string[], pairs: Pairs, { cells }: PlacementInput): Pairs {
  const explicit = new Map<string, string>();
  for (const cell of members) {
    const neighbour = cells.get(cell)?.neighbour ?? null;
    if (neighbour !== null) explicit.set(cell, neighbour);
  }
  if (explicit.size === 0) return pairs;
  const taken = new Set(explicit.values());
  const homes = members.filter((cell) => !explicit.has(cell));
  const standIns = members.filter((cell) => !taken.has(cell));
  return new Map([...match(homes, standIns, pairs, cells), ...explicit]);
}

/**
 * A cell that left keeps its neighbour: the declared one, else the one it last had; where that left too, that one's
 * own, and so on. Cells that left together may name each other: then the first member by name, of another zone if any.
 */
function lastOf(cell: string, members: ReadonlySet<string>, last: Pairs, cells: Cells): string {
  const seen = new Set<string>();
  for (let next: string | undefined = cell; next !== undefined && !seen.has(next);) {
    seen.add(next);
    next = cells.get(next)?.neighbour ?? last.get(next);
    if (next !== undefined && members.has(next)) return next;
  }
  const inOrder = [...members];
  return inOrder.find((member) => zoneOf(member, cells) !== zoneOf(cell, cells)) ?? at(inOrder, 0);
}

/** Cells without a zone share one. */
function zoneOf(cell: string, cells: Cells): string {
  return cells.get(cell)?.zone ?? '';
}

function at(cells: readonly string[], index: number): string {
  const cell = cells[index];
  if (cell === undefined) throw new RangeError(`no cell at ${index} of ${cells.length}`);
  return cell;
}
