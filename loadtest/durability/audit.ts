// What is left of the ledger's writes in the databases: lost, doubled, or listed as conflicts. Pure.
import {
  compareVersions,
  sameState,
  type Acknowledged,
  type Entry,
  type State,
  type Version,
} from './ledger.ts';

export type OrderRow = Version & {
  tenant: string;
  id: string;
  item: string;
  quantity: number;
  status: string;
};

/** A branch that lost against another one: its last state. */
export type ConflictRow = Version & { tenant: string; order_id: string; lost: OrderRow };

export type OutboxRow = { id: string; tenant: string; order_id: string; kind: string };

export type EffectRow = { outbox_id: string; tenant: string; order_id: string; kind: string };

/** The rows of one database. */
export type Rows = {
  orders: readonly OrderRow[];
  conflicts: readonly ConflictRow[];
  outbox: readonly OutboxRow[];
  effects: readonly EffectRow[];
};

export type Lost = { entry: Entry; write: Acknowledged };

export type Audit = {
  /** Acknowledged writes that are neither in the rows nor among the conflicts. */
  lost: Lost[];
  /** What exists more often than it was ordered, a line each. */
  doubled: string[];
  /** Acknowledged writes that are listed as conflicts. */
  conflicts: number;
};

/** Holds the rows of the entries' homes to the ledger. */
export function auditRows(entries: readonly Entry[], rows: Rows): Audit {
  const orders = new Map(rows.orders.map((row) => [row.id, row]));
  const conflicts = Map.groupBy(rows.conflicts, ({ order_id: id }) => id);
  const audit: Audit = { lost: [], doubled: doubledOf(entries, rows), conflicts: 0 };
  for (const entry of entries) {
    if (entry.id === null) continue;
    const listed = conflicts.get(entry.id) ?? [];
    for (const write of missingOf(entry, orders.get(entry.id))) {
      if (listed.some((conflict) => holds(conflict, write))) audit.conflicts += 1;
      else audit.lost.push({ entry, write });
    }
  }
  return audit;
}

/** The acknowledged writes of an order that its row does not come from. */
function missingOf({ acknowledged, unclear }: Entry, row: OrderRow | undefined): Acknowledged[] {
  const last = acknowledged.at(-1);
  if (row === undefined) return last === undefined ? [] : [last];
  const branchedOff = acknowledged.filter((write, index) => {
    const base = acknowledged[index + 1]?.base ?? null;
    // Whoever wrote next had not seen this one: it lies on another branch.
    return base !== null && compareVersions(base, write) < 0;
  });
  const found = stateOf(row);
  const isThere = last === undefined || [last, ...unclear].some((state) => sameState(state, found));
  return isThere ? branchedOff : [...branchedOff, last];
}

/** Whether this is the branch that the write is on: of a branch the last state is kept. */
function holds({ epoch, version, lost }: ConflictRow, write: Acknowledged): boolean {
  return (epoch === write.epoch && version >= write.version) || sameState(stateOf(lost), write);
}

function stateOf({ quantity, status }: Pick<OrderRow, 'quantity' | 'status'>): State {
  return { quantity, cancelled: status === 'cancelled' };
}

function doubledOf(entries: readonly Entry[], rows: Rows): string[] {
  const items = Map.groupBy(rows.orders, ({ item }) => item);
  const orders = entries
    .filter(({ item }) => (items.get(item)?.length ?? 0) > 1)
    .map(({ item }) => `${item} exists ${items.get(item)?.length} times`);
  const effects = [...Map.groupBy(rows.effects, (row) => row.outbox_id)]
    .filter(([, same]) => same.length > 1)
    .map(([id, same]) => `${same.length} effects of ${id}`);
  return [...orders, ...effects];
}

/** What is not finished in these rows: outbox entries without an effect. */
export function unfinishedIn({ outbox, effects }: Rows): OutboxRow[] {
  const done = new Set(effects.map((row) => row.outbox_id));
  return outbox.filter(({ id }) => !done.has(id));
}

/**
 * The rows that two copies do not have in common, a line each; none: they are equal. Conflicts are left out: each side
 * notes those that it meets itself, with the state that it has just then.
 */
export function differencesOf(one: Rows, other: Rows): string[] {
  return (['orders', 'outbox', 'effects'] as const).flatMap((table) => {
    const [here, there] = [lines(one[table]), lines(other[table])];
    return [
      ...[...here].filter((line) => !there.has(line)).map((line) => `${table}: only the home has ${line}`),
      ...[...there].filter((line) => !here.has(line)).map((line) => `${table}: only the standby has ${line}`),
    ];
  });
}

function lines(rows: readonly unknown[]): Set<string> {
  return new Set(rows.map((row) => JSON.stringify(row)));
}

/** A cell looks at its lag so often: what it shows may be that old. */
const LOOK_MS = 500;

/**
 * What was acknowledged after the moment up to which the lag that was shown last says that all had been shipped: of what a
 * disk took with it no more than this may be lost. `lag` null: nothing was shown.
 */
export function uncoveredBy(
  { lag, atMs }: { lag: { seconds: number | null; atMs: number } | null; atMs: number },
  writes: readonly Acknowledged[],
): Acknowledged[] {
  const fromMs = lag === null ? 0 : lag.atMs - LOOK_MS - 1_000 * (lag.seconds ?? Infinity);
  // An answer that was on its way when the cell died is noted a little later.
  return writes.filter((write) => write.atMs >= fromMs && write.atMs <= atMs + LOOK_MS);
}
