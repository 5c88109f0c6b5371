// From what was measured of the lanes to a judged table. Pure.
import { table } from '../../infra/table.ts';
import { CAPACITY_RPS, KNEE, SERVICE_MS } from './lanes-fleet.ts';
import type { LanesMeasured, Round } from './lanes-run.ts';
import type { Seen } from './lanes-window.ts';
import { median, medianInterval, worst, type Interval } from './statistics.ts';

export type LanesRow = {
  figure: string;
  value: number;
  unit: '×' | 'ms' | '/s' | '%' | '';
  /** 95 % interval of a median of paired ratios. */
  interval: Interval | null;
  /** At most; of `%` at least; null where the figure is only reported. */
  target: number | null;
  judgement: 'met' | 'missed' | 'undecided' | 'reported';
};

/** The most that a home tenant's p99 may grow by. */
const RATIO = 1.5;

/** A load that was held up for longer than this sent something else than it was to. */
const STALL_MS = SERVICE_MS / 4;

/** Every figure with its judgement, in the order of the table. */
export function judgeLanes({ rounds, third, sentPart, withoutLanes }: LanesMeasured): LanesRow[] {
  const p99 = (of: (round: Round) => Seen): number => median(rounds.map((round) => of(round).p99Ms));
  const mean = (of: (round: Round) => number): number => sum(rounds.map(of)) / rounds.length;
  const stalls = rounds
    .flatMap((round) => [round.control, round.failover, round.noisy])
    .map((one) => one.stallMs);
  const control = (round: Round): Seen => round.control;
  const failover = (round: Round): Seen => round.failover;
  const noisy = (round: Round): Seen => round.noisy;
  return [
    sentRow(sentPart),
    reported('the load was held up for, worst', worst(stalls), 'ms'),
    reported('home tenants, control: p99, median', p99(control), 'ms'),
    reported('home tenants, neighbour with guests: p99, median', p99(failover), 'ms'),
    ratioRow('home tenants, neighbour with guests: p99 ÷ control, median', rounds, failover),
    failedRow('home tenants, control: failed', rounds, control),
    failedRow('home tenants, neighbour with guests: failed', rounds, failover),
    reported(
      'guests: served',
      mean(({ guestsServed }) => guestsServed),
      '/s',
    ),
    reported(
      'guests: refused with cell-overloaded',
      mean(({ guestsRefused }) => guestsRefused),
      '/s',
    ),
    reported('the neighbour’s capacity in use', mean(usedOf), '%'),
    countRow('guests: failed otherwise', sum(rounds.map(({ guestsFailed }) => guestsFailed))),
    countRow('guest tenants that got nothing', sum(rounds.map(({ guestsStarved }) => guestsStarved))),
    reported(
      'noisy tenant: sent',
      mean(({ noisySent }) => noisySent),
      '/s',
    ),
    reported(
      'noisy tenant: served',
      mean(({ noisyServed }) => noisyServed),
      '/s',
    ),
    failedRow('home tenants beside a noisy one: failed', rounds, noisy),
    ratioRow('home tenants beside a noisy one: p99 ÷ control, median', rounds, noisy),
    countRow('served by a third cell', third),
    ...(withoutLanes === null ? [] : withoutRows(withoutLanes)),
  ];
}

/** Whether the run as a whole is good: nothing missed, nothing undecided. */
export function lanesMet(rows: readonly LanesRow[]): boolean {
  return rows.every(({ judgement }) => judgement !== 'missed' && judgement !== 'undecided');
}

export function printedLanes(rows: readonly LanesRow[], rounds: number): string {
  const head = ['figure', 'value', '95 % of the ratio', 'target', ''];
  const lines = rows.map(({ figure, value, unit, interval, target, judgement }) => [
    figure,
    `${shown(value, unit)} ${unit}`.trim(),
    interval === null ? '' : `${shown(interval.low, '×')}…${shown(interval.high, '×')}`,
    target === null ? '' : `${unit === '%' ? '≥' : '≤'} ${target} ${unit}`.trim(),
    judgement,
  ]);
  const about = `${rounds} rounds; cells of ${SERVICE_MS} ms a request with a knee at ${KNEE} inside, ${CAPACITY_RPS} requests/s`;
  return `${about}\n${table(head, lines)}`;
}

function shown(value: number, unit: LanesRow['unit']): string {
  return unit === '×' ? value.toFixed(2) : String(Math.round(value));
}

function usedOf({ failover, guestsServed, guestsRefused, guestsFailed }: Round): number {
  // Both loads have one rate: what the guests sent in a second, the home tenants sent, too.
  const sent = guestsServed + guestsRefused + guestsFailed;
  const servedAtHome = sent * (1 - failover.failed / failover.requests);
  return (100 * (servedAtHome + guestsServed)) / CAPACITY_RPS;
}

function withoutRows({ p99Ms, failed }: Seen): LanesRow[] {
  return [
    reported('without lanes, home tenants: p99 when it was ended', p99Ms, 'ms'),
    reported('without lanes, home tenants: without an answer by then', failed, ''),
  ];
}

function ratioRow(figure: string, rounds: readonly Round[], of: (round: Round) => Seen): LanesRow {
  const ratios = rounds.map((round) => of(round).p99Ms / round.control.p99Ms);
  const interval = medianInterval(ratios);
  const judgement = interval.high <= RATIO ? 'met' : interval.low > RATIO ? 'missed' : 'undecided';
  return { figure, value: median(ratios), unit: '×', interval, target: RATIO, judgement };
}

/**
 * A load that was held up sends all at once what was due meanwhile. In such a window, or beside a control in which
 * requests failed as well, a failure says nothing of the lanes.
 */
function failedRow(figure: string, rounds: readonly Round[], of: (round: Round) => Seen): LanesRow {
  const disturbed = (one: Seen): boolean => one.stallMs > STALL_MS;
  const blamed = rounds.filter((round) => {
    const one = of(round);
    const calm = one === round.control || round.control.failed === 0;
    return one.failed > 0 && calm && !disturbed(one);
  });
  const row = countRow(figure, sum(rounds.map((round) => of(round).failed)));
  return row.judgement === 'missed' && blamed.length === 0 ? { ...row, judgement: 'undecided' } : row;
}

function countRow(figure: string, value: number): LanesRow {
  return { figure, value, unit: '', interval: null, target: 0, judgement: value === 0 ? 'met' : 'missed' };
}

function reported(figure: string, value: number, unit: LanesRow['unit']): LanesRow {
  return { figure, value, unit, interval: null, target: null, judgement: 'reported' };
}

/** A load that fell behind measured another machine than it says. */
function sentRow(part: number): LanesRow {
  const judgement = part >= 0.99 ? 'met' : 'missed';
  return { figure: 'requests sent', value: 100 * part, unit: '%', interval: null, target: 99, judgement };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
