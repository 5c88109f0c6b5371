// What clients saw of one play: whose requests failed, and how what has no end of its own was ended. Pure.
import { reasonsOf } from './failures.ts';
import { failed, type Sent } from './open-load.ts';
import type { StreamEnd } from './stream-clients.ts';

/** What else happened, for which no handover can be blamed. */
export type Circumstances = {
  home: string;
  /** Routers that were killed, by index, and when (`performance.now()`): what they had in hand is lost with them. */
  killed: readonly { router: number; atMs: number }[];
  /** Nobody can decide, so that what is being moved can only be refused with `placement-moving` after a while. */
  mayRefuseMoving: boolean;
};

export type FailedCount = {
  requests: number;
  failed: number;
  /** Failed by these circumstances. */
  apart: number;
  reasons: Record<string, number>;
};

export function countFailed(sent: readonly Sent[], circumstances: Circumstances): FailedCount {
  const all = sent.filter(failed);
  const apart = all.filter((one) => isApart(one, circumstances)).length;
  return { requests: sent.length, failed: all.length - apart, apart, reasons: reasonsOf(sent) };
}

function isApart(
  { status, error, home, router, startedAtMs, endedAtMs }: Sent,
  { killed, mayRefuseMoving, home: moving }: Circumstances,
): boolean {
  const lost = killed.some(
    (one) => one.router === router && startedAtMs <= one.atMs && endedAtMs >= one.atMs,
  );
  if (status === 0 && lost) return true;
  const code = error?.split(' ')[0];
  return mayRefuseMoving && home === moving && status === 503 && code === 'placement-moving';
}

export type EndCount = Record<StreamEnd['how'] | 'apart', number>;

/** A killed router cuts what it had open, and clients notice within this. */
const CUT_MS = 2_000;

export function countEnds(ends: readonly StreamEnd[], killed: Circumstances['killed']): EndCount {
  const count: EndCount = { restart: 0, clean: 0, cut: 0, apart: 0 };
  for (const { how, router, atMs } of ends) {
    const lost = killed.some((one) => one.router === router && atMs >= one.atMs && atMs < one.atMs + CUT_MS);
    count[how === 'cut' && lost ? 'apart' : how] += 1;
  }
  return count;
}
