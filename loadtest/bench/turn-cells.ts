// Containment in handovers, counted tenant by tenant from the cells' own access logs. Pure.
import type { Served } from '../stubs/stub-options.ts';
import type { Turn } from './turns.ts';

/** An answer takes no longer than this inside a cell: what began earlier is over. */
const LONGEST_MS = 60_000;

/** Epoch milliseconds. */
export type Span = { fromMs: number; untilMs: number };

/**
 * How many tenants were served by two cells at once, added up over the handovers: by the one that loses them after the
 * one that gains them had begun, be it a request that it took or one that it was not done with. Where a handover was
 * undone nobody changes cell: whoever was served by both cells in it counts.
 */
export function tenantsAtTwo(lines: readonly Served[], turns: readonly Turn[]): number {
  return turns.reduce((sum, turn) => sum + atTwoIn(lines, turn), 0);
}

function atTwoIn(lines: readonly Served[], { losing, gaining, closingMs, untilMs, outcome }: Turn): number {
  const firstGained = new Map<string, number>();
  for (const { cell, tenant, at } of lines) {
    if (cell !== gaining || at < closingMs || at >= untilMs) continue;
    firstGained.set(tenant, Math.min(at, firstGained.get(tenant) ?? Number.POSITIVE_INFINITY));
  }
  const atTwo = new Set<string>();
  for (const line of lines) {
    if (line.cell !== losing || line.at < closingMs - LONGEST_MS || line.at >= untilMs) continue;
    const gainedMs = firstGained.get(line.tenant);
    if (gainedMs === undefined) continue;
    const servedLater = outcome === 'open' ? (line.untilMs ?? line.at) > gainedMs : line.at >= closingMs;
    if (servedLater) atTwo.add(line.tenant);
  }
  return atTwo.size;
}

/** How many tenants a cell served in that time that is none of those that may: their home and its neighbour. */
export function tenantsAtThird(
  lines: readonly Served[],
  { fromMs, untilMs }: Span,
  mayServe: (tenant: string) => readonly string[],
): number {
  const strays = lines.filter(
    ({ at, tenant, cell }) => at >= fromMs && at < untilMs && !mayServe(tenant).includes(cell),
  );
  return new Set(strays.map(({ tenant }) => tenant)).size;
}
