// Loads as the plan reckons with them: added up, divided, and held against what a cell can carry. Pure.
import type { HomeLoad, Load } from '../health/load.ts';

export const NO_LOAD: Load = { rps: 0, concurrency: 0, tunnels: 0 };

const KEYS = ['rps', 'concurrency', 'tunnels'] as const;

export function plus(a: Load, b: Load): Load {
  return { rps: a.rps + b.rps, concurrency: a.concurrency + b.concurrency, tunnels: a.tunnels + b.tunnels };
}

export function times(load: Load, ratio: number): Load {
  return { rps: load.rps * ratio, concurrency: load.concurrency * ratio, tunnels: load.tunnels * ratio };
}

/** How much of `capacity` a load takes, in percent: of requests a second, requests inside and tunnels the fullest. */
export function percentOf(load: Load, capacity: Load): number {
  return Math.max(...KEYS.map((key) => (100 * load[key]) / capacity[key]));
}

/** The load of each home over several routers; null where none of them told any: unknown is not none. */
export function loadsOver(told: Iterable<readonly HomeLoad[]>): Map<string, Load> | null {
  let sums: Map<string, Load> | null = null;
  for (const loads of told) {
    sums ??= new Map();
    for (const load of loads) add(sums, load.home, load);
  }
  return sums;
}

export function add(sums: Map<string, Load>, cell: string, load: Load): void {
  sums.set(cell, plus(sums.get(cell) ?? NO_LOAD, load));
}
