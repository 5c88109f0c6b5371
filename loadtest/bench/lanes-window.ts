// One window of the benchmark of the lanes: what was sent in it, and how long that took. No fleet, no faults.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import type { Tenant } from './lanes-fleet.ts';
import { failed, type OpenLoad, type Sent } from './open-load.ts';
import { percentile, randomFrom } from './statistics.ts';

/** What the home tenants of the neighbour saw in one window, and the longest that the load itself was held up in it. */
export type Seen = { p99Ms: number; failed: number; requests: number; stallMs: number };

/** After so many the order of the tenants comes again. */
const DRAWS = 10_000;

/**
 * Tenants in no order: in turns each would come in step with the answers, so that the same ones found the lane full again
 * and again.
 */
export function drawn(tenants: readonly Tenant[]): Tenant[] {
  const random = randomFrom(tenants.length);
  return Array.from({ length: DRAWS }, () => tenants[Math.floor(random() * tenants.length)]).filter(
    (tenant) => tenant !== undefined,
  );
}

/** What each of these loads sends in a window from now, when all of it is answered. */
export async function watch(
  loads: readonly OpenLoad[],
  windowMs: number,
): Promise<{ sent: Sent[][]; stallMs: number }> {
  const { fromMs, untilMs, stallMs } = await windowOf(windowMs);
  await until('what was sent is answered', () => !loads.some((load) => load.openBefore(untilMs)));
  return { sent: loads.map((load) => within(load, fromMs, untilMs)), stallMs };
}

/** A window from now, and the longest that this process itself was held up in it. */
export async function windowOf(
  windowMs: number,
): Promise<{ fromMs: number; untilMs: number; stallMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const fromMs = performance.now();
  await pause(windowMs);
  const untilMs = performance.now();
  delay.disable();
  return { fromMs, untilMs, stallMs: delay.max / 1e6 };
}

/** What was sent in it, of what is answered by now. */
export function within(load: OpenLoad, fromMs: number, untilMs: number): Sent[] {
  return load.sent.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < untilMs);
}

export function seen(sent: readonly Sent[], stallMs: number): Seen {
  const tookMs = sent.map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
  return {
    p99Ms: percentile(tookMs, 0.99),
    failed: sent.filter(failed).length,
    requests: sent.length,
    stallMs,
  };
}
