// Containment, counted from the cells' own access logs: who served whom, and when. Pure.
import type { Served } from '../stubs/stub-options.ts';

/** From the fault to the way home, in epoch milliseconds: nobody but one cell at a time may serve `home`'s tenants. */
export type Window = { home: string; fromMs: number; untilMs: number };

/** How many requests a cell served that is neither the home nor the neighbour of the tenant's home. */
export function servedByThird(lines: readonly Served[], neighbourOf: (cell: string) => string): number {
  return lines.filter(({ cell, home }) => home !== '' && cell !== home && cell !== neighbourOf(home)).length;
}

/**
 * How many requests were served by two cells at the same moment: inside a window a tenant changes from its home to
 * the neighbour once, so every request that its home serves after the neighbour's first one has two writers.
 */
export function servedByTwo(lines: readonly Served[], windows: readonly Window[]): number {
  let count = 0;
  for (const { home, fromMs, untilMs } of windows) {
    const within = lines.filter((line) => line.home === home && line.at >= fromMs && line.at < untilMs);
    const takenOver = new Map<string, number>();
    for (const { tenant, cell, at } of within) {
      if (cell === home) continue;
      takenOver.set(tenant, Math.min(at, takenOver.get(tenant) ?? Number.POSITIVE_INFINITY));
    }
    count += within.filter(
      ({ tenant, cell, at }) => cell === home && at > (takenOver.get(tenant) ?? Number.POSITIVE_INFINITY),
    ).length;
  }
  return count;
}
