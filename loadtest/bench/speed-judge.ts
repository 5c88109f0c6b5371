// The targets of the speed, each a ratio or a difference within one run, and whether they are met. Pure.
import type { ContenderId } from './contenders/all.ts';
import type { Grown, GrowthId } from './speed-growth.ts';
import type { Latency, LatencySample } from './speed-latency.ts';
import type { Series } from './speed-table.ts';
import { median, medianInterval, medianRatio, type Interval } from './statistics.ts';
import type { WorkloadId } from './speed-workloads.ts';

export type Judgement = 'met' | 'missed' | 'undecided' | 'not installed';

export type Target = {
  figure: string;
  unit: '×' | 'ms';
  /** Null: there is nothing to measure it with. */
  measured: { value: number; interval: Interval } | null;
  /** It is to be at most this. */
  most: number;
  judgement: Judgement;
  /** Why it is undecided whatever the interval is; empty: it is not. */
  why: string;
};

/** What all sections that were run have measured; null: not run. */
export type Measured = { table: Series[] | null; latency: Latency | null; growth: Grown[] | null };

/** A load that was late itself by more than this sent something else than its rate. */
const LATE_MOST_MS = 5;
/** So much of what was wanted is as good as all of it. */
const NEARLY_ALL = 0.99;

const RATIOS: readonly (readonly [string, WorkloadId, ContenderId, ContenderId, number])[] = [
  ['128 B GET: Cellgate ÷ @fastify/http-proxy', 'get', 'cellgate', 'plain', 0.65],
  ['128 B GET, both with a log: Cellgate ÷ @fastify/http-proxy', 'get', 'cellgate-log', 'plain-log', 0.6],
  ['128 B GET: Cellgate ÷ HAProxy', 'get', 'cellgate', 'haproxy', 2.6],
  ['1 KiB JSON POST: Cellgate ÷ @fastify/http-proxy', 'post', 'cellgate', 'plain', 0.6],
  ['64 KiB GET: Cellgate ÷ @fastify/http-proxy', 'large', 'cellgate', 'plain', 0.85],
];

/** Every target of the sections that were run; `tenants`: how many distinct ones were wanted. */
export function judgeSpeed({ table, latency, growth }: Measured, tenants: number): Target[] {
  return [
    ...(table === null ? [] : RATIOS.map((one) => ratioTarget(table, ...one))),
    ...(latency === null ? [] : latencyTargets(latency)),
    ...(growth === null ? [] : growthTargets(growth, tenants)),
  ];
}

/** Whether the run as a whole is good: nothing missed, nothing undecided. */
export function speedMet(targets: readonly Target[]): boolean {
  return targets.every(({ judgement }) => judgement === 'met' || judgement === 'not installed');
}

/** Met or missed with the whole of its interval; undecided when that straddles the target. */
export function judgementOf({ low, high }: Interval, most: number): 'met' | 'missed' | 'undecided' {
  if (high <= most) return 'met';
  return low > most ? 'missed' : 'undecided';
}

/** The samples of one contender; undefined when it did not take part. */
export function samplesOf(table: readonly Series[], contender: string, workload: WorkloadId) {
  return table.find((one) => one.contender === contender && one.workload === workload)?.samples;
}

/** CPU time per request of the one, divided by that of the other, round by round. */
export function cpuRatio(
  ours: readonly { cpuUs: number }[],
  theirs: readonly { cpuUs: number }[],
): { value: number; interval: Interval } {
  const cpu = ({ cpuUs }: { cpuUs: number }): number => cpuUs;
  return medianRatio(ours.map(cpu), theirs.map(cpu));
}

function ratioTarget(
  table: readonly Series[],
  what: string,
  workload: WorkloadId,
  ours: ContenderId,
  theirs: ContenderId,
  most: number,
): Target {
  const [one, other] = [samplesOf(table, ours, workload), samplesOf(table, theirs, workload)];
  const figure = `CPU per ${what}`;
  if (one === undefined || other === undefined)
    return { figure, unit: '×', measured: null, most, judgement: 'not installed', why: '' };
  return judged(figure, '×', cpuRatio(one, other), most, disturbance([...one, ...other]));
}

function latencyTargets({ straight, router }: Latency): Target[] {
  const all = [...straight, ...router];
  const late = all.filter(({ lateP99Ms }) => lateP99Ms > LATE_MOST_MS).length;
  const why = late > 0 ? `the load itself was late in ${late} of ${all.length}` : disturbance(all);
  const added = (of: (sample: LatencySample) => number) => {
    const differences = router.map((one, at) => of(one) - of(straight[at] ?? one));
    return { value: median(differences), interval: medianInterval(differences) };
  };
  const p50 = added(({ p50Ms }) => p50Ms);
  const p99 = added(({ p99Ms }) => p99Ms);
  return [
    judged('1,000 requests/s: added at p50', 'ms', p50, 0.4, why),
    judged('1,000 requests/s: added at p99', 'ms', p99, 2, why),
  ];
}

function growthTargets(growth: readonly Grown[], wanted: number): Target[] {
  const few = growth.find(({ id }) => id === 'few');
  const grown = (id: GrowthId, least: number): Target[] => {
    const one = growth.find((each) => each.id === id);
    if (few === undefined || one === undefined) return [];
    const pins = one.pins > 0 ? `, ${grouped(one.pins)} pins` : '';
    const figure = `CPU per 128 B GET: ${grouped(one.cells)} cells, ${grouped(one.tenants)} tenants${pins} ÷ ${few.cells}, ${grouped(few.tenants)}`;
    const short = one.tenants < least * NEARLY_ALL ? `${grouped(least)} tenants were wanted` : '';
    const why = short === '' ? disturbance([...few.samples, ...one.samples]) : short;
    return [judged(figure, '×', cpuRatio(one.samples, few.samples), 1.1, why)];
  };
  return [...grown('many', wanted), ...grown('pins', 0)];
}

function judged(
  figure: string,
  unit: Target['unit'],
  measured: { value: number; interval: Interval },
  most: number,
  why: string,
): Target {
  const judgement = why === '' ? judgementOf(measured.interval, most) : 'undecided';
  return { figure, unit, measured, most, judgement, why };
}

/** Empty: nobody else was busy. */
function disturbance(samples: readonly { disturbed: boolean }[]): string {
  const count = samples.filter(({ disturbed }) => disturbed).length;
  return count === 0 ? '' : `others were busy in ${count} of ${samples.length}`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
