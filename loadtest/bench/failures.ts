// Who paid for a fault: the failed requests of an episode, by where they were when the cell went. Pure.
import { failed, type Sent } from './open-load.ts';

export type Failures = {
  /** Of the lost cell's tenants, sent when the cell was gone already: they never reached it. */
  notInside: number;
  /** Sent before the cell was gone, and unanswered when it went. */
  idempotentInside: number;
  postsInside: number;
  /** Of all other cells' tenants. */
  others: number;
  /** All requests of the episode, and how many of them were inside. */
  requests: number;
  inside: number;
  reasons: Record<string, number>;
};

/**
 * `sent`: what was under way between the fault and the way home. The fault began at `beganMs` and the cell was gone at
 * `goneMs`: what was sent in between may have been inside, and counts so.
 */
export function countFailures(
  sent: readonly Sent[],
  victim: string,
  beganMs: number,
  goneMs: number,
): Failures {
  const own = sent.filter(({ home }) => home === victim);
  const inside = own.filter((one) => one.startedAtMs <= goneMs && one.endedAtMs >= beganMs);
  const insideFailed = inside.filter(failed);
  return {
    notInside: own.filter((one) => failed(one) && !inside.includes(one)).length,
    idempotentInside: insideFailed.filter(({ method }) => method === 'GET').length,
    postsInside: insideFailed.filter(({ method }) => method === 'POST').length,
    others: sent.filter((one) => one.home !== victim && failed(one)).length,
    requests: sent.length,
    inside: inside.length,
    reasons: reasonsOf(sent),
  };
}

/** Why requests failed: home of the tenant and code, connection error or status → how often. */
export function reasonsOf(sent: readonly Sent[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { home, error, status } of sent.filter(failed)) {
    const reason = `${home}: ${error ?? status}`;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
}
