// The plan of a fleet, and the dry run of a new file, as a person reads them.
import { table } from '../table.ts';

type Load = { rps: number; concurrency: number; tunnels: number };
type Violation = { cell: string | null; rule: string; detail: string };

/** One cell of the N-1 table. */
export type PlanRow = {
  cell: string;
  zone: string | null;
  neighbour: string | null;
  load: Load | null;
  percent: number | null;
  percentByWeights: number | null;
};

/** The answer of `GET /v1/plan`. */
export type Plan = {
  routers: { told: number; live: number };
  cells: PlanRow[];
  violations: Violation[];
};

type Move = { from: string; to: string; at: string };

/** The answer of `POST /v1/plan`. */
export type DryRun = Plan & {
  digest: { before: string; after: string };
  added: string[];
  removed: string[];
  movedBuckets: number;
  moves: (Move & { buckets: number })[];
  pins: (Move & { tenant: string })[];
  neighbours: { cell: string; from: string | null; to: string | null; waits: boolean }[];
  loads: {
    cell: string;
    before: Load | null;
    after: Load | null;
    percentBefore: number | null;
    percentAfter: number | null;
  }[];
};

/** A row a cell, and then what speaks against it. */
export function planText(plan: Plan): string {
  return [lossTable(plan.cells), conclusion(plan)].join('\n\n');
}

/** What moves, whose neighbour changes, the loads, and the N-1 table that the new file leads to. */
export function dryRunText(run: DryRun): string {
  const sections = [
    summary(run),
    section(
      ['from', 'to', 'buckets', 'when'],
      run.moves.map((move) => [move.from, move.to, String(move.buckets), when(move)]),
    ),
    section(
      ['pinned tenant', 'from', 'to', 'when'],
      run.pins.map((move) => [move.tenant, move.from, move.to, when(move)]),
    ),
    section(
      ['cell', 'neighbour', 'new neighbour', 'when'],
      run.neighbours.map(({ cell, from, to, waits }) => [
        cell,
        from ?? '-',
        to ?? '-',
        waits ? 'once it is serving' : 'at activation',
      ]),
    ),
    section(
      ['cell', 'load before', 'of its capacity', 'load after', 'of its capacity'],
      run.loads.map((load) => [
        load.cell,
        loadText(load.before),
        percent(load.percentBefore),
        loadText(load.after),
        percent(load.percentAfter),
      ]),
    ),
    `once all has moved:\n${lossTable(run.cells)}`,
    conclusion(run),
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

function summary({ digest, added, removed, movedBuckets }: DryRun): string {
  const lines = [
    digest.before === digest.after
      ? `digest ${digest.before}: the file says what is in force`
      : `digest ${digest.before} → ${digest.after}`,
    `${movedBuckets} of 65536 buckets move`,
  ];
  if (added.length > 0) lines.push(`joining: ${added.join(', ')}`);
  if (removed.length > 0) lines.push(`leaving: ${removed.join(', ')}`);
  return lines.join('\n');
}

function section(head: readonly string[], rows: readonly string[][]): string {
  return rows.length === 0 ? '' : table(head, rows);
}

function lossTable(cells: readonly PlanRow[]): string {
  const head = ['cell', 'zone', 'load', 'neighbour', 'if the cell dies', 'by weights'];
  const rows = cells.map((row) => [
    row.cell,
    row.zone ?? '-',
    loadText(row.load),
    row.neighbour ?? '-',
    percent(row.percent),
    percent(row.percentByWeights),
  ]);
  return table(head, rows);
}

function conclusion({ routers, violations }: Plan): string {
  const told = `load told by ${routers.told} of ${routers.live} routers`;
  if (violations.length === 0) return `${told}; no violations`;
  const rows = violations.map(({ cell, rule, detail }) => [cell ?? '-', rule, detail]);
  return `${told}\n\n${table(['violation of', 'rule', 'detail'], rows)}`;
}

function when({ at }: Move): string {
  return at === 'activation' ? 'at activation' : 'at its cut-over';
}

function loadText(load: Load | null): string {
  if (load === null) return 'unknown';
  return `${load.rps}/s, ${load.concurrency} inside, ${load.tunnels} tunnels`;
}

function percent(value: number | null): string {
  return value === null ? '-' : `${value} %`;
}
