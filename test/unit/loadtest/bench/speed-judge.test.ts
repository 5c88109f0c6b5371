// When a target of the speed is met, missed or undecided.
import { expect, test } from 'vitest';
import { CONTENDERS } from '../../../../loadtest/bench/contenders/all.ts';
import type { GrowthId } from '../../../../loadtest/bench/speed-growth.ts';
import { judgementOf, judgeSpeed, speedMet } from '../../../../loadtest/bench/speed-judge.ts';
import type { LatencySample } from '../../../../loadtest/bench/speed-latency.ts';
import type { Sample } from '../../../../loadtest/bench/speed-measure.ts';
import { pictureOf } from '../../../../loadtest/bench/speed-picture.ts';
import { printedTable, printedTargets } from '../../../../loadtest/bench/speed-report.ts';
import type { Series } from '../../../../loadtest/bench/speed-table.ts';
import type { WorkloadId } from '../../../../loadtest/bench/speed-workloads.ts';

const NONE = { table: null, latency: null, growth: null };
const TENANTS = 1_000_000;

function sample(cpuUs: number, change: Partial<Sample> = {}): Sample {
  const figures = { requests: 10_000, durationMs: 1_500, rps: 6_667, coreBusy: 1, p50Ms: 5, p99Ms: 9 };
  return {
    cpuUs,
    ...figures,
    rssMb: 90,
    others: 0,
    compared: 40,
    resumed: null,
    disturbed: false,
    ...change,
  };
}

function series(contender: string, cpu: number[], change: Partial<Sample> = {}): Series[] {
  const workloads: WorkloadId[] = ['get', 'post', 'large'];
  return workloads.map((workload) => ({ contender, workload, samples: cpu.map((us) => sample(us, change)) }));
}

const PEERS = [
  ...series('cellgate', [24, 26, 25]),
  ...series('cellgate-log', [30, 31, 32]),
  ...series('plain', [50, 50, 50]),
  ...series('plain-log', [70, 70, 70]),
];

function latency(p50Ms: number, p99Ms: number, change: Partial<LatencySample> = {}): LatencySample {
  return { p50Ms, p99Ms, lateP99Ms: 1, requests: 2_000, others: 0, disturbed: false, ...change };
}

function grown(id: GrowthId, tenants: number, cpu: number[]) {
  const [cells, pins] = [id === 'many' ? 1_000 : 3, id === 'pins' ? 100_000 : 0];
  return { id, cells, tenants, pins, idleMsPerS: 1, samples: cpu.map((us) => sample(us)) };
}

test('an interval is met below its target, missed above it, and undecided across it', () => {
  expect(judgementOf({ low: 0.5, high: 0.65 }, 0.65)).toBe('met');
  expect(judgementOf({ low: 0.66, high: 0.7 }, 0.65)).toBe('missed');
  expect(judgementOf({ low: 0.6, high: 0.7 }, 0.65)).toBe('undecided');
});

test('ratios are of CPU time per request, round by round', () => {
  const [first] = judgeSpeed({ ...NONE, table: PEERS }, TENANTS);
  expect(first).toMatchObject({ judgement: 'met', most: 0.65 });
  expect(first?.measured).toEqual({ value: 0.5, interval: { low: 0.48, high: 0.52 } });
});

test('who is not installed has no judgement, and the run is good without', () => {
  const targets = judgeSpeed({ ...NONE, table: PEERS }, TENANTS);
  expect(targets.map(({ judgement }) => judgement)).toEqual(['met', 'met', 'not installed', 'met', 'met']);
  expect(speedMet(targets)).toBe(true);
  expect(printedTable(PEERS)).toMatch(/HAProxy +not installed/);
});

test('a row that was disturbed to the end is undecided, however good it looks', () => {
  const table = PEERS.filter(({ contender }) => contender !== 'plain');
  const targets = judgeSpeed(
    { ...NONE, table: [...table, ...series('plain', [50, 50, 50], { disturbed: true })] },
    TENANTS,
  );
  expect(targets[0]).toMatchObject({ judgement: 'undecided', why: 'others were busy in 3 of 6' });
  expect(speedMet(targets)).toBe(false);
  expect(printedTargets(targets)).toContain('undecided (others were busy in 3 of 6)');
});

test('a missed target makes the run bad', () => {
  const table = [...PEERS, ...series('haproxy', [5, 5, 5])];
  const targets = judgeSpeed({ ...NONE, table }, TENANTS);
  expect(targets[2]).toMatchObject({ judgement: 'missed', measured: { value: 5 } });
  expect(speedMet(targets)).toBe(false);
});

test('what the router adds is the difference within each round', () => {
  const straight = [latency(1, 3), latency(2, 4), latency(3, 5)];
  const router = [latency(1.25, 4), latency(2.25, 5), latency(3.25, 9)];
  const targets = judgeSpeed({ ...NONE, latency: { straight, router } }, TENANTS);
  expect(targets.map(({ measured }) => measured?.value)).toEqual([0.25, 1]);
  expect(targets.map(({ judgement }) => judgement)).toEqual(['met', 'undecided']);
});

test('a load that was late itself decides nothing', () => {
  const straight = [latency(1, 3)];
  const router = [latency(1, 3, { lateP99Ms: 30 })];
  const targets = judgeSpeed({ ...NONE, latency: { straight, router } }, TENANTS);
  expect(targets.map(({ why }) => why)).toEqual(Array(2).fill('the load itself was late in 1 of 2'));
  expect(targets.map(({ judgement }) => judgement)).toEqual(['undecided', 'undecided']);
});

test('growth is judged beside few, and not at all with fewer tenants than were wanted', () => {
  const few = grown('few', 1_000, [20, 20, 20]);
  const pins = grown('pins', 50_000, [21, 21, 21]);
  const judge = (tenants: number) =>
    judgeSpeed({ ...NONE, growth: [few, grown('many', tenants, [21, 21, 21]), pins] }, TENANTS);
  expect(judge(TENANTS).map(({ judgement }) => judgement)).toEqual(['met', 'met']);
  expect(judge(300_000)[0]).toMatchObject({ judgement: 'undecided', why: '1,000,000 tenants were wanted' });
});

test('requests per second are told only where the core was full', () => {
  const table = [...series('plain', [50, 50, 50]), ...series('nginx', [15, 15, 15], { coreBusy: 0.8 })];
  const lines = printedTable(table).split('\n');
  expect(lines.find((line) => line.startsWith('@fastify/http-proxy '))).toContain('6667');
  expect(lines.find((line) => line.startsWith('nginx'))).not.toContain('6667');
});

test('the picture has a bar for everybody who took part, and no other', () => {
  const svg = pictureOf(PEERS, 'a <machine> & its cores');
  expect(svg.match(/<rect /g)).toHaveLength(12);
  expect(svg).toContain(CONTENDERS['plain-log']);
  expect(svg).not.toContain(CONTENDERS.haproxy);
  expect(svg).toContain('a &lt;machine&gt; &amp; its cores');
  expect(svg).toContain('prefers-color-scheme: dark');
});
