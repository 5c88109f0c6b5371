// What was measured of the speed, as tables for people. Pure.
import { table as text } from '../../infra/table.ts';
import { CONTENDERS, type ContenderId } from './contenders/all.ts';
import type { Grown } from './speed-growth.ts';
import { cpuRatio, samplesOf, type Target } from './speed-judge.ts';
import type { Latency } from './speed-latency.ts';
import type { Sample } from './speed-measure.ts';
import type { Series } from './speed-table.ts';
import { TLS_MODES, type TlsMode, type TlsSeries } from './speed-tls.ts';
import { median, type Interval } from './statistics.ts';
import { WORKLOADS, type WorkloadId } from './speed-workloads.ts';

/** From here on a core counts as full, and requests per second say what it can do. */
const FULL = 0.97;
const ABSENT = '–';

/** One table for each workload. */
export function printedTable(series: readonly Series[]): string {
  const workloads = (Object.keys(WORKLOADS) as WorkloadId[]).filter((id) =>
    series.some(({ workload }) => workload === id),
  );
  return workloads.map((id) => `${WORKLOADS[id].label}\n${workloadTable(series, id)}`).join('\n\n');
}

function workloadTable(series: readonly Series[], workload: WorkloadId): string {
  const peers = ['plain', 'nginx', 'haproxy'] as const;
  const over = ['÷ http-proxy', '÷ nginx', '÷ HAProxy'];
  const head = ['', 'CPU µs/request', 'from…to', ...over, 'requests/s', 'p50 ms', 'p99 ms', 'RSS MB'];
  const rows = (Object.keys(CONTENDERS) as ContenderId[]).map((id) => {
    const samples = samplesOf(series, id, workload);
    if (samples === undefined) return padded([CONTENDERS[id], 'not installed'], head.length);
    const ratios = peers.map((peer) =>
      ratioTo(samples, peer === id ? [] : samplesOf(series, peer, workload)),
    );
    return [CONTENDERS[id], ...spreadOf(samples), ...ratios, ...speedOf(samples), rssOf(samples)];
  });
  return text(head, rows);
}

/** Beside going straight to the cell. */
export function printedLatency({ straight, router }: Latency): string {
  const row = (name: string, of: Latency['router']): string[] => [
    name,
    median(of.map(({ p50Ms }) => p50Ms)).toFixed(3),
    median(of.map(({ p99Ms }) => p99Ms)).toFixed(3),
    median(of.map(({ lateP99Ms }) => lateP99Ms)).toFixed(2),
  ];
  const head = ['1,000 requests/s, 128 B GET', 'p50 ms', 'p99 ms', 'load late by, p99 ms'];
  return text(head, [row('straight to the cell', straight), row('through Cellgate', router)]);
}

export function printedGrowth(growth: readonly Grown[]): string {
  const few = growth.find(({ id }) => id === 'few')?.samples;
  const head = ['cells', 'tenants', 'pins', 'CPU µs/request', 'from…to', '÷ few', 'idle CPU ms/s', 'RSS MB'];
  const rows = growth.map(({ id, cells, tenants, pins, idleMsPerS, samples }) => [
    ...[cells, tenants, pins].map(String),
    ...spreadOf(samples),
    ratioTo(samples, id === 'few' ? [] : few),
    idleMsPerS.toFixed(1),
    rssOf(samples),
  ]);
  return text(head, rows);
}

/** Null: there is no openssl on this machine. */
export function printedTls(series: readonly TlsSeries[] | null): string {
  if (series === null) return 'TLS and HTTP/2: openssl is not installed';
  const of = (contender: string, mode: TlsMode) =>
    series.find((one) => one.contender === contender && one.mode === mode)?.samples;
  const head = ['', '', 'CPU µs/request', 'from…to', '÷ without TLS', '÷ HAProxy', 'requests/s'];
  const rows = (['cellgate', 'haproxy'] as const).flatMap((contender) =>
    (Object.keys(TLS_MODES) as TlsMode[]).map((mode) => {
      const samples = of(contender, mode);
      const name = [CONTENDERS[contender], TLS_MODES[mode]];
      if (samples === undefined) return padded([...name, 'not installed'], head.length);
      const plain = ratioTo(samples, mode === 'plain' ? [] : of(contender, 'plain'));
      const peer = ratioTo(samples, contender === 'haproxy' ? [] : of('haproxy', mode));
      return [...name, ...spreadOf(samples), plain, peer, speedOf(samples)[0] ?? ''];
    }),
  );
  return text(head, rows);
}

export function printedTargets(targets: readonly Target[]): string {
  const head = ['target', 'median', '95 % of it', 'at most', ''];
  const rows = targets.map(({ figure, unit, measured, most, judgement, why }) => [
    figure,
    measured === null ? ABSENT : `${measured.value.toFixed(2)} ${unit}`,
    measured === null ? ABSENT : shown(measured.interval),
    `${most} ${unit}`,
    `${judgement === 'missed' ? 'MISSED' : judgement}${why === '' ? '' : ` (${why})`}`,
  ]);
  return text(head, rows);
}

function spreadOf(samples: readonly Sample[]): [string, string] {
  const cpu = samples.map(({ cpuUs }) => cpuUs);
  return [median(cpu).toFixed(1), `${Math.min(...cpu).toFixed(1)}…${Math.max(...cpu).toFixed(1)}`];
}

/** Nothing to divide by: an empty cell for oneself, a dash for somebody who is not there. */
function ratioTo(samples: readonly Sample[], others: readonly Sample[] | undefined): string {
  if (others === undefined) return ABSENT;
  if (others.length === 0) return '';
  const { value, interval } = cpuRatio(samples, others);
  return `${value.toFixed(2)} (${shown(interval)})`;
}

/** Requests per second count in the rounds alone in which the core was full, and nobody else's: in more than half of them, or not at all. */
function speedOf(samples: readonly Sample[]): [string, string, string] {
  const full = samples
    .filter(({ coreBusy, disturbed }) => coreBusy >= FULL && !disturbed)
    .map(({ rps }) => rps);
  const ms = (values: number[]): string => {
    const value = median(values);
    return Number.isFinite(value) ? value.toFixed(2) : ABSENT;
  };
  return [
    full.length * 2 > samples.length ? String(Math.round(median(full))) : ABSENT,
    ms(samples.map(({ p50Ms }) => p50Ms)),
    ms(samples.map(({ p99Ms }) => p99Ms)),
  ];
}

function rssOf(samples: readonly Sample[]): string {
  return median(samples.map(({ rssMb }) => rssMb)).toFixed(0);
}

function shown({ low, high }: Interval): string {
  return `${low.toFixed(2)}…${high.toFixed(2)}`;
}

function padded(cells: readonly string[], length: number): string[] {
  return Array.from({ length }, (_, at) => cells[at] ?? '');
}
