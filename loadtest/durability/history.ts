// A checker of histories: each order is a register, and a read that is older than what was known before it began is stale. Pure.
import { compareVersions, sameState, type State, type Version } from './ledger.ts';

/** A write that was acknowledged, or a read that was answered. Times are milliseconds of one clock. */
export type Operation = {
  order: string;
  kind: 'write' | 'read';
  startedMs: number;
  endedMs: number;
  /**
   * Who answered, as a name for all that must agree: within one span nothing goes back. A cell's own database goes
   * through every epoch in which it serves, so a span is at least as wide as an epoch.
   */
  span: string;
  /** Null: there is no such order. */
  seen: (Version & State) | null;
};

export type Violation = {
  what: 'stale read' | 'two states of one version';
  /** The one that is wrong, and the one that it contradicts. */
  operation: Operation;
  earlier: Operation;
};

/**
 * All violations. A read must see what was acknowledged, or read, before it began in the same span, or something newer.
 * A version of an order has one state, whoever tells it.
 */
export function checkHistory(operations: readonly Operation[]): Violation[] {
  const registers = Map.groupBy(operations, ({ order, span }) => `${span} ${order}`);
  const orders = Map.groupBy(operations, ({ order }) => order);
  return [...[...registers.values()].flatMap(staleReads), ...[...orders.values()].flatMap(torn)];
}

function staleReads(operations: readonly Operation[]): Violation[] {
  const ended = operations.toSorted((a, b) => a.endedMs - b.endedMs);
  const reads = operations.filter(({ kind }) => kind === 'read').sort((a, b) => a.startedMs - b.startedMs);
  const found: Violation[] = [];
  let newest: Operation | null = null;
  let next = 0;
  for (const read of reads) {
    for (let one = ended[next]; one !== undefined && one.endedMs < read.startedMs; one = ended[next]) {
      if (newest === null || compareSeen(one, newest) > 0) newest = one;
      next += 1;
    }
    if (newest !== null && compareSeen(read, newest) < 0)
      found.push({ what: 'stale read', operation: read, earlier: newest });
  }
  return found;
}

/** An order that is not there is older than any version of it. */
function compareSeen(a: Operation, b: Operation): number {
  if (a.seen === null || b.seen === null) return Number(a.seen !== null) - Number(b.seen !== null);
  return compareVersions(a.seen, b.seen);
}

function torn(operations: readonly Operation[]): Violation[] {
  const known = new Map<string, Operation & { seen: State }>();
  const found: Violation[] = [];
  for (const operation of operations) {
    const { seen } = operation;
    if (seen === null) continue;
    const version = `${seen.epoch}.${seen.version}`;
    const earlier = known.get(version);
    if (earlier === undefined) known.set(version, { ...operation, seen });
    else if (!sameState(earlier.seen, seen))
      found.push({ what: 'two states of one version', operation, earlier });
  }
  return found;
}
