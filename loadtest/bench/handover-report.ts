// From what was measured of handovers to a judged table, a row for each kind of change. Pure.
import { table } from '../../infra/table.ts';
import { KINDS, type Kind } from './handover-kinds.ts';
import type { CountedPlay, HandoverMeasured } from './handover-run.ts';
import { countIn, edgeOf, quantileOf, sumOf } from './histogram.ts';
import { median, worst } from './statistics.ts';

export type HandoverRow = {
  kind: Kind;
  played: number;
  /** Handovers that opened, and that were undone. */
  opened: number;
  undone: number;
  failed: number;
  /** Failed, and told apart: see `APART`. */
  apart: number;
  /** Requests that were held; milliseconds of a hold. NaN: none was. */
  held: number;
  holdMedianMs: number;
  holdLongestMs: number;
  /** From closing to open, milliseconds. NaN: nothing opened. */
  openMedianMs: number;
  openLongestMs: number;
  /** What an operator's call took in all, milliseconds. NaN: there was none. */
  callMedianMs: number;
  callLongestMs: number;
  /** Tenants that were served by two cells at once, and by a third one. */
  two: number;
  third: number;
  /** Streams that were told to come back, that ended cleanly, and that were cut or left where they were. */
  restart: number;
  clean: number;
  broken: number;
  judgement: 'met' | 'missed' | 'not played';
};

/** The part of the load that must really have been sent. */
const SENT = 0.99;

/** A row for each of these kinds. */
export function judgeHandovers(
  { plays }: Pick<HandoverMeasured, 'plays'>,
  kinds: readonly Kind[] = KINDS,
): HandoverRow[] {
  return kinds.map((kind) =>
    rowOf(
      kind,
      plays.filter((play) => play.kind === kind),
    ),
  );
}

/** Whether the run as a whole is good: played to its end, under the load that was meant, and every target is met. */
export function handoversMet(
  rows: readonly HandoverRow[],
  measured: Pick<HandoverMeasured, 'rate' | 'brokenOff'>,
  rate: number,
): boolean {
  if (measured.brokenOff !== null || measured.rate < SENT * rate) return false;
  return rows.every(({ judgement }) => judgement === 'met');
}

function rowOf(kind: Kind, plays: readonly CountedPlay[]): HandoverRow {
  const turns = plays.flatMap((play) => play.turns);
  const opened = turns.filter(({ outcome }) => outcome === 'open');
  const openMs = opened.map(({ closingMs, endMs }) => (endMs ?? Number.NaN) - closingMs);
  const callMs = plays.flatMap((play) => play.callMs);
  const total = (of: (play: CountedPlay) => number): number => plays.reduce((sum, play) => sum + of(play), 0);
  const holds = sumOf(plays.map((play) => play.holds));
  const row = {
    kind,
    played: plays.length,
    opened: opened.length,
    undone: turns.filter(({ outcome }) => outcome === 'undone').length,
    failed: total(({ failed }) => failed),
    apart: total(({ apart }) => apart),
    held: countIn(holds),
    holdMedianMs: 1_000 * quantileOf(holds, 0.5),
    holdLongestMs: worst(plays.map(longestHoldMs).filter((ms) => !Number.isNaN(ms))),
    openMedianMs: median(openMs),
    openLongestMs: worst(openMs),
    callMedianMs: median(callMs),
    callLongestMs: worst(callMs),
    two: total(({ two }) => two),
    third: total(({ third }) => third),
    restart: total(({ streams }) => streams.restart),
    clean: total(({ streams }) => streams.clean),
    broken: total(({ streams }) => streams.cut + streams.left),
  };
  return { ...row, judgement: judgementOf(row) };
}

/** Two bounds of it are known: the edge of the routers' histogram, and the longest answer that a client waited for. */
function longestHoldMs({ holds, longestMs }: CountedPlay): number {
  return countIn(holds) === 0 ? Number.NaN : Math.min(1_000 * edgeOf(holds), longestMs);
}

function judgementOf({
  played,
  failed,
  two,
  third,
  broken,
}: Pick<HandoverRow, 'played' | 'failed' | 'two' | 'third' | 'broken'>): HandoverRow['judgement'] {
  if (played === 0) return 'not played';
  return failed + two + third + broken === 0 ? 'met' : 'missed';
}

const HEAD = [
  'change',
  'played',
  'opened',
  'undone',
  'failed',
  'apart',
  'held',
  'hold, ms',
  'to open, ms',
  'call, ms',
  'at two',
  'at a third',
  '1012',
  'clean',
  'broken',
  '',
];

const NOTES = [
  'failed, at two (tenants served by two cells at once), at a third (by a cell that is neither), broken (streams cut, or left',
  'where they were): the target of each is 0. hold, to open, call: median / longest. 1012, clean: WebSockets and event streams',
  'that were ended as a router should. apart: failed, but lost with a router that was killed; or refused with',
  'placement-moving while Redis was gone in closing and nobody could decide.',
].join('\n');

/** The table as printed, with what it was measured under. */
export function printedHandovers(
  rows: readonly HandoverRow[],
  { rate: sentRate, stallMs, brokenOff }: Pick<HandoverMeasured, 'rate' | 'stallMs' | 'brokenOff'>,
  rate: number,
): string {
  const sent = `${Math.round(sentRate)} requests/s sent of ${rate} (target: ${100 * SENT} %); held up for ${Math.round(stallMs)} ms at the most`;
  const lines = rows.map((row) => [
    row.kind,
    ...[row.played, row.opened, row.undone, row.failed, row.apart, row.held].map(String),
    pairOf(row.holdMedianMs, row.holdLongestMs),
    pairOf(row.openMedianMs, row.openLongestMs),
    pairOf(row.callMedianMs, row.callLongestMs),
    ...[row.two, row.third, row.restart, row.clean, row.broken].map(String),
    row.judgement,
  ]);
  const broken = brokenOff === null ? '' : `\nBroken off: ${brokenOff}`;
  return `${sent}\n${table(HEAD, lines)}\n${NOTES}${broken}`;
}

function pairOf(first: number, second: number): string {
  return Number.isNaN(first) ? '–' : `${Math.round(first)} / ${Math.round(second)}`;
}
