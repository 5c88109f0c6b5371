// The cheapest assignment of rows to columns (the Hungarian method), quick where most rows already have the best.

/** Costs of a row in a column: 0 or more; Infinity where the two may not meet. */
export type Cost = (row: number, column: number) => number;

/**
 * The column of each row, at the least total cost, no column twice. `wish` is the column to try first for a row, or −1.
 * Rows that can have their cheapest column at once get it; each other one costs a search that looks at no more than
 * all pairs once. Rows must not outnumber columns. Throws a RangeError where no assignment is possible.
 * Source: successive shortest augmenting paths with potentials, Jonker and Volgenant, Computing 38 (1987).
 */
export function assign(columns: number, wish: readonly number[], cost: Cost): number[] {
  const state = start(columns, wish, cost);
  for (const [row, column] of state.columnOf.entries()) {
    if (column < 0) augment(state, row, cost);
  }
  return state.columnOf;
}

type State = {
  columnOf: number[];
  /** Column → row, or −1. */
  rowOf: Int32Array;
  /** Potentials: cost − row's − column's is never below 0, and is 0 for a pair of the assignment. */
  rowPotential: Float64Array;
  columnPotential: Float64Array;
};

/** Gives each row in turn, its wish first, a free column of its lowest cost if there is one. */
function start(columns: number, wish: readonly number[], cost: Cost): State {
  const rows = wish.length;
  const state: State = {
    columnOf: Array.from<number>({ length: rows }).fill(-1),
    rowOf: new Int32Array(columns).fill(-1),
    rowPotential: new Float64Array(rows),
    columnPotential: new Float64Array(columns),
  };
  for (const [row, wished] of wish.entries()) {
    const lowest = lowestCost(row, wished, columns, cost);
    state.rowPotential[row] = lowest;
    if (wished >= 0 && cost(row, wished) === lowest) pair(state, row, wished);
  }
  for (const [row, column] of state.columnOf.entries()) {
    if (column >= 0) continue;
    const lowest = state.rowPotential[row];
    const free = state.rowOf.findIndex((taken, column) => taken < 0 && cost(row, column) === lowest);
    if (free >= 0) pair(state, row, free);
  }
  return state;
}

function lowestCost(row: number, wished: number, columns: number, cost: Cost): number {
  let lowest = wished < 0 ? Infinity : cost(row, wished);
  for (let column = 0; column < columns && lowest > 0; column += 1) {
    lowest = Math.min(lowest, cost(row, column));
  }
  if (lowest === Infinity) throw new RangeError(`row ${row} has no column that it may take`);
  return lowest;
}

function pair(state: State, row: number, column: number): void {
  state.columnOf[row] = column;
  state.rowOf[column] = row;
}

/** What a search knows of each column: how far it is, by way of which row, and whether that is final. */
type Search = { distance: Float64Array; via: Int32Array; done: Uint8Array };

/** Dijkstra's search from a row without a column to the nearest free column, over reduced costs. */
function augment(state: State, row: number, cost: Cost): void {
  const columns = state.rowOf.length;
  const search: Search = {
    distance: new Float64Array(columns).fill(Infinity),
    via: new Int32Array(columns),
    done: new Uint8Array(columns),
  };
  let reached = 0;
  let column = -1;
  for (let from = row; from >= 0; from = state.rowOf[column] ?? -1) {
    if (column >= 0) search.done[column] = 1;
    relax(state, search, from, reached, cost);
    column = nearestColumn(state, search);
    reached = search.distance[column] ?? Infinity;
    if (reached === Infinity) throw new RangeError(`row ${row} has no column left`);
  }
  shiftPotentials(state, search, row, reached);
  while (column >= 0) {
    const taker = search.via[column] ?? row;
    const left = state.columnOf[taker] ?? -1;
    pair(state, taker, column);
    column = left;
  }
}

function relax(state: State, search: Search, row: number, reached: number, cost: Cost): void {
  const { distance, via, done } = search;
  const base = reached - (state.rowPotential[row] ?? 0);
  for (let column = 0; column < distance.length; column += 1) {
    if (done[column] === 1) continue;
    const through = base + cost(row, column) - (state.columnPotential[column] ?? 0);
    if (through < (distance[column] ?? 0)) {
      distance[column] = through;
      via[column] = row;
    }
  }
}

/** The nearest column that is not final, or −1; between equals a free one, which ends the search, then the first. */
function nearestColumn({ rowOf }: State, { distance, done }: Search): number {
  let nearest = -1;
  let least = Infinity;
  for (let column = 0; column < distance.length; column += 1) {
    const here = distance[column] ?? Infinity;
    if (done[column] === 1 || here > least) continue;
    if (here < least || ((rowOf[nearest] ?? -1) >= 0 && (rowOf[column] ?? -1) < 0)) {
      nearest = column;
      least = here;
    }
  }
  return nearest;
}

function shiftPotentials(state: State, search: Search, row: number, reached: number): void {
  state.rowPotential[row] = (state.rowPotential[row] ?? 0) + reached;
  for (const [column, taker] of state.rowOf.entries()) {
    if (search.done[column] !== 1) continue;
    const shift = reached - (search.distance[column] ?? 0);
    state.rowPotential[taker] = (state.rowPotential[taker] ?? 0) + shift;
    state.columnPotential[column] = (state.columnPotential[column] ?? 0) - shift;
  }
}
