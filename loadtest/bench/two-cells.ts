// Containment, counted from the cells' own access logs: who served whom, and when. Pure.
import type { Served } from '../stubs/stub-options.ts';

/** From the fault to the way home, in epoch milliseconds: all of `home`'s tenants are away, or on their way. */
export type Window = { home: string; fromMs: number; untilMs: number };

/** How many requests a cell served that is neither the home nor the neighbour of the tenant's home. */
export function servedByThird(lines: readonly Served[], neighbourOf: (cell: string) => string): number {
  return lines.filter(({ cell, home }) => home !== '' && cell !== home && cell !== neighbourOf(home)).length;
}

/**
 * How many requests were served by one cell while another one had their tenant. A failover moves all tenants of a home
 * at once: from the neighbour's first request of a window on, whatever the home serves has two writers. Counted for
 * the home, not tenant by tenant: of a thousand tenants few send twice in so short a window, and a leak would hide.
 */
export function servedByTwo(lines: readonly Served[], windows: readonly Window[]): number {
  let count = 0;
  for (const { home, fromMs, untilMs } of windows) {
    const within = lines.filter((line) => line.home === home && line.at >= fromMs && line.at < untilMs);
    const guests = within.filter(({ cell }) => cell !== home).map(({ at }) => at);
    const takenOverMs = guests.reduce((first, at) => Math.min(first, at), Number.POSITIVE_INFINITY);
    count += within.filter(({ cell, at }) => cell === home && at > takenOverMs).length;
  }
  return count;
}
