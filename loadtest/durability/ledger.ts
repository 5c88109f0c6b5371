// Every write that was acknowledged to a client, and what became unclear: what an audit holds the databases to.

/** The version of an order as its ETag says it: the epoch of its last write, and the number of that write. */
export type Version = { epoch: number; version: number };

/** What clients change of an order. Each quantity is written once to an order, so that it names the write. */
export type State = { quantity: number; cancelled: boolean };

/** A write that was answered with success. */
export type Acknowledged = Version &
  State & {
    /** Milliseconds of `performance.now()` at the answer. */
    atMs: number;
    /** The version that the client had when it wrote; null: it needs none (a creation, a cancellation). */
    base: Version | null;
  };

/** One order of one client, from before its creation on. */
export type Entry = {
  tenant: string;
  home: string;
  key: string;
  /** Unique to the order, and never changed: it tells an order that was created twice. */
  item: string;
  /** Null while its creation is not acknowledged. */
  id: string | null;
  /** In the order in which they were acknowledged. */
  acknowledged: Acknowledged[];
  /** Tried, and given up without a clear answer: it may have happened. */
  unclear: State[];
};

/** `"3.7"` → epoch 3, version 7. Throws on anything else: the cell promises it. */
export function versionIn(etag: unknown): Version {
  const [, epoch, version] = /^"(\d+)\.(\d+)"$/.exec(String(etag)) ?? [];
  if (epoch === undefined || version === undefined)
    throw new Error(`not an ETag of an order: ${String(etag)}`);
  return { epoch: Number(epoch), version: Number(version) };
}

export function etagOf({ epoch, version }: Version): string {
  return `"${epoch}.${version}"`;
}

/** Below 0: `a` is the older one. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.version - b.version;
}

export function sameState(a: State, b: State): boolean {
  return a.quantity === b.quantity && a.cancelled === b.cancelled;
}

export function countAcknowledged(entries: readonly Entry[]): number {
  return entries.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
}
