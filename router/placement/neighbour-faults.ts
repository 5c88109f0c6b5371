// What is wrong with the neighbours that cells name, and the words for a cell that is not there.
import type { PlacementInput } from './history.ts';

/** Where in the fleet file (`generations.2.add.0`), and one sentence that says what is allowed. */
export type HistoryFault = { path: string; problem: string };

/** What is wrong with the declared `neighbour`s of a fleet with these members, in order of name. */
export function neighbourFaults(input: PlacementInput, members: ReadonlySet<string>): HistoryFault[] {
  const takenBy = new Map<string, string>();
  const faults: HistoryFault[] = [];
  for (const [cell, { neighbour }] of [...input.cells].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (neighbour === null) continue;
    const path = `cells.${cell}.neighbour`;
    const rival = members.has(cell) ? takenBy.get(neighbour) : undefined;
    if (neighbour === cell) faults.push({ path, problem: 'is the cell itself (allowed: another member)' });
    else if (!input.cells.has(neighbour)) faults.push(undeclared(path, neighbour));
    else if (members.has(cell) && !members.has(neighbour)) {
      faults.push(noMember(path, neighbour, 'a member after the last generation'));
    } else if (rival !== undefined && !input.allowSharedNeighbour) {
      const problem = `${neighbour} stands in for ${rival} already (allowed: one cell each, or allowSharedNeighbour)`;
      faults.push({ path, problem });
    }
    if (members.has(cell) && rival === undefined) takenBy.set(neighbour, cell);
  }
  return faults.length > 0 ? faults : leftoverFaults(input, members, takenBy);
}

/** Pairs may leave one cell over with only itself to stand in for it: `a → b`, `b → a` of a, b and c. */
function leftoverFaults(
  { cells }: PlacementInput,
  members: ReadonlySet<string>,
  takenBy: ReadonlyMap<string, string>,
): HistoryFault[] {
  const homes = [...members].filter((cell) => (cells.get(cell)?.neighbour ?? null) === null);
  const standIns = [...members].filter((cell) => !takenBy.has(cell));
  const [home] = homes;
  if (members.size < 2 || home === undefined || homes.length > 1) return [];
  if (standIns.some((cell) => cell !== home)) return [];
  const problem =
    'is missing: the other cells leave it only itself (allowed: pairs that leave it another cell)';
  return [{ path: `cells.${home}.neighbour`, problem }];
}

/** The fault of a place that names a cell which the file does not declare. */
export function undeclared(path: string, cell: string): HistoryFault {
  return { path, problem: `${cell} is not declared (allowed: a cell declared under cells)` };
}

/** The fault of a place that names a cell which is no member there. */
export function noMember(path: string, cell: string, allowed: string): HistoryFault {
  return { path, problem: `${cell} is no member (allowed: ${allowed})` };
}
