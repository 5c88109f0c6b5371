// A fleet's history: its words, and its replay into the members after each generation.

/** One entry of the fleet's history; `settled`: every bucket that it moved is cut over. */
export type Generation = {
  add?: readonly string[] | undefined;
  remove?: readonly string[] | undefined;
  reweight?: Readonly<Record<string, number>> | undefined;
  settled?: boolean | undefined;
};

/** All that placement knows of a fleet. */
export type PlacementInput = {
  /** Every declared cell, removed ones too; `weight` is the one at joining. */
  cells: ReadonlyMap<string, { zone: string | null; weight: number; neighbour: string | null }>;
  generations: readonly Generation[];
  /** Tenant → the cell it is pinned to; unsettled, its old home serves it until it is cut over. */
  pins: ReadonlyMap<string, { cell: string; settled: boolean }>;
  /** Whether several cells may name the same `neighbour`. */
  allowSharedNeighbour: boolean;
};

/** The members after a generation, in order of name: cell → weight in thousandths. */
export type Members = ReadonlyMap<string, number>;

/** What one generation leaves behind. */
export type Step = { members: Members; settled: boolean };

/** Whether `weight` is allowed: above 0, at most 1,000, at most three decimals. */
export function isWeight(weight: number): boolean {
  return weight > 0 && weight <= 1_000 && Math.round(weight * 1_000) / 1_000 === weight;
}

/** The members after each generation, of a history without faults. The first generation is settled by nature. */
export function replay(input: Pick<PlacementInput, 'cells' | 'generations'>): Step[] {
  let members: Members = new Map();
  return input.generations.map((generation, index) => {
    members = after(members, generation, input.cells);
    return { members, settled: index === 0 || generation.settled === true };
  });
}

/** The members after the last generation of a history without faults. */
export function membersOf(input: Pick<PlacementInput, 'cells' | 'generations'>): string[] {
  return [...(replay(input).at(-1)?.members.keys() ?? [])];
}

function after(before: Members, generation: Generation, cells: PlacementInput['cells']): Members {
  const weights = new Map(before);
  for (const cell of generation.remove ?? []) weights.delete(cell);
  for (const cell of generation.add ?? []) weights.set(cell, thousandths(cells.get(cell)?.weight ?? 1));
  for (const [cell, weight] of Object.entries(generation.reweight ?? {})) {
    weights.set(cell, thousandths(weight));
  }
  return byName(weights);
}

/** Integers, so that every share is exact arithmetic and the same on every machine. */
function thousandths(weight: number): number {
  return Math.round(weight * 1_000);
}

/** Code-unit order, which no locale changes: nothing may depend on the order of keys in the file. */
function byName(weights: Map<string, number>): Members {
  return new Map([...weights].sort(([a], [b]) => (a < b ? -1 : 1)));
}
