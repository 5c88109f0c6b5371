// From what was soaked to a judged table. Pure.
import { table } from '../../infra/table.ts';
import type { IdleMeasured } from './soak-idle.ts';
import type { MixedMeasured } from './soak-mixed.ts';
import { countOf } from './soak-process.ts';
import { leastWithin, medianWithin, type Samples } from './soak-samples.ts';

export type SoakRow = {
  figure: string;
  value: number;
  unit: 'MB' | '×' | '%' | '';
  /** At most; of `sent` and `open` at least; null where the figure is only reported. */
  target: number | null;
  judgement: 'met' | 'missed' | 'reported';
};

/** Resident memory with idle connections, in MB of 10^6 bytes. */
const IDLE_MB = 160;
/** What it may grow by, from early in the load to its end. */
const GROWTH = 1.2;
const SENT_PERCENT = 99;

const MINUTE_MS = 60_000;
/** Early: after the second minute, or a fifth of a shorter load. */
const EARLY_MS = 2 * MINUTE_MS;
const EARLY_PART = 0.2;
/** Half the width of the moment that is early, and the width of the end; of a short load so large a part. */
const HALF_WIDTH_MS = 10_000;
const LAST_MS = 20_000;
const WIDTH_PART = 0.1;

export function judgeIdle(measured: IdleMeasured): SoakRow[] {
  const { connections, idleOpen, afterBusyOpen } = measured;
  const open = Math.min(idleOpen, afterBusyOpen);
  return [
    reported('router alone: RSS', measured.startRssMb, 'MB'),
    atLeast('idle connections open while looked at', open, '', connections),
    atMost(`RSS with ${connections} idle connections`, measured.idleRssMb, 'MB', IDLE_MB),
    reported(`RSS while busy with ${measured.busyAnswers} requests`, measured.busyRssMb, 'MB'),
    reported('RSS afterwards, with all of them idle again', measured.afterBusyRssMb, 'MB'),
  ];
}

export function judgeMixed(measured: MixedMeasured): SoakRow[] {
  const { counts, streams, turns, descriptors, left, samples, loadMs } = measured;
  const { early, last } = momentsOf(loadMs);
  const earlyMb = medianWithin(samples.rss, ...early);
  const lastMb = medianWithin(samples.rss, ...last);
  const most = Math.max(...samples.descriptors.map(({ value }) => value));
  return [
    atLeast('requests sent, of those due', (100 * counts.sent) / counts.due, '%', SENT_PERCENT),
    reported('requests', counts.sent, ''),
    reported('of these failed with a lost or moving cell to explain it', sum(counts.excused), ''),
    exactly('answers that nothing explains', sum(counts.wrong)),
    reported('long streams that ended or were refused', sum(streams.all), ''),
    exactly('of these without an explanation', sum(streams.wrong)),
    reported('cells lost and back', turns.failovers, ''),
    reported('cells drained and restored', turns.drains, ''),
    reported(`RSS ${named(early)}`, earlyMb, 'MB'),
    reported(`RSS ${named(last)}`, lastMb, 'MB'),
    atMost('RSS at the end ÷ early', lastMb / earlyMb, '×', GROWTH),
    reported('RSS once the load had ended', measured.restRssMb, 'MB'),
    ...heapRows(samples, early, last),
    reported('descriptors under load, most', most, ''),
    reported('descriptors at the start', countOf(descriptors.atStart), ''),
    atMost('descriptors at the end', countOf(descriptors.atEnd), '', countOf(descriptors.atStart)),
    exactly('left: connections of clients', left.connections),
    exactly('left: requests inside', left.requests),
    exactly('left: tunnels and event streams inside', left.tunnels),
    exactly('left: requests held', left.held),
  ];
}

/** The two moments that are compared, from–until in milliseconds of the load. */
export function momentsOf(loadMs: number): { early: [number, number]; last: [number, number] } {
  const middleMs = Math.min(EARLY_MS, EARLY_PART * loadMs);
  const halfMs = Math.min(HALF_WIDTH_MS, (WIDTH_PART * loadMs) / 2);
  const lastMs = Math.min(LAST_MS, WIDTH_PART * loadMs);
  return { early: [middleMs - halfMs, middleMs + halfMs], last: [loadMs - lastMs, loadMs] };
}

export function soakMet(rows: readonly SoakRow[]): boolean {
  return rows.every(({ judgement }) => judgement !== 'missed');
}

export function printedSoak(rows: readonly SoakRow[]): string {
  const lines = rows.map(({ figure, value, unit, target, judgement }) => [
    figure,
    `${shown(value, unit)} ${unit}`.trim(),
    target === null ? '' : `${shown(target, unit)} ${unit}`.trim(),
    judgement,
  ]);
  return table(['figure', 'value', 'target', ''], lines);
}

/** What nothing explains, the most frequent first. */
export function printedFailures({ counts, streams }: Pick<MixedMeasured, 'counts' | 'streams'>): string {
  const entries = [counts, streams]
    .flatMap(({ wrong }) => Object.entries(wrong))
    .sort(([, one], [, other]) => other - one);
  return entries.map(([words, count]) => `${count} × ${words}\n`).join('');
}

function heapRows({ heap, external }: Samples, early: [number, number], last: [number, number]): SoakRow[] {
  // Of a heap the least of some minutes: in between it holds what is collected next.
  const around = ([from, until]: [number, number]): [number, number] => [from - MINUTE_MS / 2, until];
  return [
    reported('used heap, least, early', leastWithin(heap, ...around(early)), 'MB'),
    reported('used heap, least, at the end', leastWithin(heap, ...around(last)), 'MB'),
    reported('memory outside the heap, least, early', leastWithin(external, ...around(early)), 'MB'),
    reported('memory outside the heap, least, at the end', leastWithin(external, ...around(last)), 'MB'),
  ];
}

function named([fromMs, untilMs]: [number, number]): string {
  return `from ${Math.round(fromMs / 1_000)} s to ${Math.round(untilMs / 1_000)} s`;
}

function shown(value: number, unit: SoakRow['unit']): string {
  if (unit === '×') return value.toFixed(2);
  return unit === '' ? String(value) : value.toFixed(1);
}

function atMost(figure: string, value: number, unit: SoakRow['unit'], target: number): SoakRow {
  return { figure, value, unit, target, judgement: value <= target ? 'met' : 'missed' };
}

function atLeast(figure: string, value: number, unit: SoakRow['unit'], target: number): SoakRow {
  return { figure, value, unit, target, judgement: value >= target ? 'met' : 'missed' };
}

function exactly(figure: string, value: number): SoakRow {
  return { figure, value, unit: '', target: 0, judgement: value === 0 ? 'met' : 'missed' };
}

function reported(figure: string, value: number, unit: SoakRow['unit']): SoakRow {
  return { figure, value, unit, target: null, judgement: 'reported' };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
