// From what was tried to a judged table: each figure, its target, and whether it is met. Pure.
import { table } from '../../infra/table.ts';
import type { TunnelPlay } from './tunnels.ts';
import type { FuzzReport } from './wire-fuzz.ts';
import type { SlowRun } from './wire-slow.ts';

export type TunnelRun = TunnelPlay & { wanted: number };

export type Tried = { fuzz: FuzzReport | null; slow: SlowRun[] | null; tunnels: TunnelRun | null };

export type Row = { figure: string; value: number; target: number | null; met: boolean | null };

/** What was not tried has no row. */
export function judge({ fuzz, slow, tunnels }: Tried): Row[] {
  const rows: Row[] = [];
  if (fuzz !== null) {
    rows.push(told('broken requests: cases', fuzz.cases), told('requests they made', fuzz.made));
    rows.push(told('of these seen by the cell', fuzz.seen));
    for (const [status, count] of [...fuzz.statuses].sort(([one], [other]) => Number(one) - Number(other)))
      rows.push(told(`answers ${status}`, count));
    rows.push(exactly('crashes, hangs, 5xx, requests that nobody made', fuzz.failures.length, 0));
  }
  for (const { mode, most, left, ordinary, failed } of slow ?? []) {
    rows.push(told(`slow ${mode}: most connections`, most), exactly(`slow ${mode}: left open`, left, 0));
    rows.push(told(`slow ${mode}: ordinary requests`, ordinary));
    rows.push(exactly(`slow ${mode}: of these failed`, failed, 0));
  }
  if (tunnels !== null) {
    rows.push(exactly('tunnels open at once', tunnels.opened, tunnels.wanted));
    rows.push(exactly('of these that echo 1 MiB, whole', tunnels.whole, tunnels.wanted));
    rows.push(exactly('of these left open in the cell', tunnels.leftOpen, 0));
  }
  return rows;
}

export function allMet(rows: readonly Row[]): boolean {
  return rows.every(({ met }) => met !== false);
}

export function printed(rows: readonly Row[]): string {
  const lines = rows.map(({ figure, value, target, met }) => [
    figure,
    String(value),
    target === null ? '' : String(target),
    met === null ? 'reported' : met ? 'met' : 'MISSED',
  ]);
  return table(['figure', 'value', 'target', 'judgement'], lines);
}

function told(figure: string, value: number): Row {
  return { figure, value, target: null, met: null };
}

function exactly(figure: string, value: number, target: number): Row {
  return { figure, value, target, met: value === target };
}
