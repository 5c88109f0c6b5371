// From what was measured to a judged table: each figure, its target, and whether it is met, missed or undecided. Pure.
import { table } from '../../infra/table.ts';
import type { Episode } from './episode.ts';
import type { Measured } from './failover-run.ts';
import type { FaultKind } from './faults.ts';
import type { Failures } from './failures.ts';
import type { LostRedis } from './lost-redis.ts';
import { median, medianInterval, worst, type Interval } from './statistics.ts';

/** `undecided`: the interval of the difference holds the target, so that neither can be said. */
export type Judgement = 'met' | 'missed' | 'undecided' | 'reported' | 'not played';

export type Row = {
  figure: string;
  /** Milliseconds, or a count where `unit` is empty. */
  value: number;
  unit: 'ms' | '/s' | '';
  /** How many times it was measured. */
  samples: number;
  /** The same without the fault, median, in milliseconds; null: there is no such thing. */
  control: number | null;
  /** 95 % interval of the median of the paired differences to the control windows, in milliseconds. */
  interval: Interval | null;
  /** At most; null where the figure is only reported. `rate`: at least. */
  target: number | null;
  judgement: Judgement;
};

/** Every figure with its judgement, in the order of the table. */
export function judge({ episodes, lostRouters, lostRedis, ...run }: Measured, rate: number): Row[] {
  const of = (kind: FaultKind): Episode[] => episodes.filter((episode) => episode.kind === kind);
  const kills = of('kill');
  const takeovers = (kind: FaultKind): number[] => of(kind).map(({ takeoverMs }) => takeoverMs);
  const spreads = (kind: FaultKind): number[] => of(kind).map(({ spreadMs }) => spreadMs);
  const failures = (of: readonly Episode[], count: (failures: Failures) => number): number =>
    sum(of.map((episode) => count(episode.failures)));
  const holes = of('black hole');
  const sleeps = [...of('freeze'), ...holes];
  const overTtl = lostRouters.map(({ takeoverMs, voteMs }) => takeoverMs - voteMs);
  const served = episodes.length + lostRouters.length;
  const announced = kills.length;
  return [
    rateRow(run.rate, rate),
    medianRow('kill -9 → last router serves from the neighbour', kills.map(pairOf), 300),
    worstRow(
      'kill -9 → last router serves from the neighbour',
      takeovers('kill'),
      1_000,
      worst(kills.map(({ controlMs }) => controlMs)),
    ),
    countRow(
      'failed, not inside the killed cell',
      failures(kills, ({ notInside }) => notInside),
      announced,
    ),
    countRow(
      'failed, idempotent, inside it',
      failures(kills, ({ idempotentInside }) => idempotentInside),
      announced,
    ),
    reportedRow(
      'failed, POST, inside it',
      failures(kills, ({ postsInside }) => postsInside),
      announced,
    ),
    countRow(
      'failed, tenants of other cells',
      failures(kills, ({ others }) => others),
      announced,
    ),
    countRow('failed in the control windows', sum(episodes.map((one) => one.controlFailed)), episodes.length),
    worstRow('SIGSTOP → last router serves from the neighbour', takeovers('freeze'), 3_500),
    worstRow('black hole → last router serves from the neighbour', takeovers('black hole'), 3_500),
    reportedRow(
      'failed in freezes and black holes, own tenants',
      failures(sleeps, ownFailures),
      sleeps.length,
    ),
    countRow(
      'failed in them, tenants of other cells',
      failures(sleeps, ({ others }) => others),
      sleeps.length,
    ),
    medianRow(
      'verdict → all routers',
      kills.map(({ spreadMs }) => ({ value: spreadMs, control: null })),
      100,
    ),
    worstRow('verdict → all routers', spreads('kill'), 500),
    worstRow('verdict → all routers, pub/sub blocked', spreads('kill, pub/sub blocked'), 2_000),
    worstRow('cell and one of two routers die → neighbour, less the vote', overTtl, 3_000),
    countRow('served by a third cell', run.third, served),
    countRow('served by two cells at the same moment', run.two, episodes.length - sleeps.length),
    countRow('the same, by cells that were frozen', run.twoAfterSleep, of('freeze').length),
    reportedRow('the same, by cells whose line healed', run.twoAfterHeal, holes.length),
    ...redisRows(lostRedis),
  ];
}

/** No request waits for Redis: what a request takes while Redis is away is told beside what it takes with it. */
function redisRows(plays: readonly LostRedis[]): Row[] {
  return [
    countRow('failed while Redis was away', sum(plays.map(({ failed }) => failed)), plays.length),
    {
      ...reportedRow(
        'a request while Redis was away, median',
        median(plays.map((play) => play.awayMs)),
        plays.length,
      ),
      unit: 'ms',
      control: median(plays.map(({ controlMs }) => controlMs)),
    },
    worstRow(
      'Redis back → read again and subscribed by all routers',
      plays.map(({ backMs }) => backMs),
      2_000,
    ),
  ];
}

/** Whether the run as a whole is good: nothing missed, nothing undecided. */
export function allMet(rows: readonly Row[]): boolean {
  return rows.every(({ judgement }) => judgement !== 'missed' && judgement !== 'undecided');
}

export function printed(rows: readonly Row[]): string {
  const head = ['figure', 'value', 'control', 'samples', '95 % of the difference', 'target', ''];
  return table(
    head,
    rows.map(({ figure, value, unit, control, samples, interval, target, judgement }) => [
      figure,
      Number.isNaN(value) ? '–' : `${Math.round(value)} ${unit}`.trim(),
      control === null ? '' : `${Math.round(control)} ms`,
      String(samples),
      interval === null ? '' : `${Math.round(interval.low)}…${Math.round(interval.high)} ms`,
      target === null ? '' : `${unit === '/s' ? '≥' : '≤'} ${target} ${unit}`.trim(),
      judgement,
    ]),
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** `control` is null where nothing can be measured without the fault. */
type Pair = { value: number; control: number | null };

function pairOf({ takeoverMs, controlMs }: Episode): Pair {
  return { value: takeoverMs, control: controlMs };
}

function ownFailures({ notInside, idempotentInside, postsInside }: Failures): number {
  return notInside + idempotentInside + postsInside;
}

function medianRow(name: string, pairs: readonly Pair[], target: number): Row {
  const value = median(pairs.map((pair) => pair.value));
  const controls = pairs.map(({ control }) => control).filter((control) => control !== null);
  const row = {
    figure: `${name}, median`,
    value,
    unit: 'ms',
    samples: pairs.length,
    control: controls.length === 0 ? null : median(controls),
    target,
  } as const;
  if (pairs.length === 0) return { ...row, interval: null, judgement: 'not played' };
  const interval = medianInterval(pairs.map((pair) => pair.value - (pair.control ?? 0)));
  const judgement = interval.high <= target ? 'met' : interval.low > target ? 'missed' : 'undecided';
  return { ...row, interval, judgement };
}

function worstRow(
  name: string,
  values: readonly number[],
  target: number,
  control: number | null = null,
): Row {
  const value = worst(values);
  const judgement = values.length === 0 ? 'not played' : value <= target ? 'met' : 'missed';
  return {
    figure: `${name}, worst`,
    value,
    unit: 'ms',
    samples: values.length,
    control,
    interval: null,
    target,
    judgement,
  };
}

function countRow(figure: string, value: number, samples: number): Row {
  const judgement = samples === 0 ? 'not played' : value === 0 ? 'met' : 'missed';
  return { figure, value, unit: '', samples, control: null, interval: null, target: 0, judgement };
}

function reportedRow(figure: string, value: number, samples: number): Row {
  return {
    figure,
    value,
    unit: '',
    samples,
    control: null,
    interval: null,
    target: null,
    judgement: 'reported',
  };
}

/** A load that fell behind measured another machine than it says. */
function rateRow(value: number, target: number): Row {
  const judgement = value >= 0.99 * target ? 'met' : 'missed';
  return {
    figure: 'requests sent',
    value,
    unit: '/s',
    samples: 1,
    control: null,
    interval: null,
    target,
    judgement,
  };
}
