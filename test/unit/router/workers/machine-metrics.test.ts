// The metrics of a machine: its primary's and its workers', as one exposition.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { MachineMetrics } from '../../../../router/workers/machine-metrics.ts';
import type { MetricData } from '../../../../router/workers/messages.ts';
import { parseMetrics, sumOf, type Sample } from '../../../support/metrics.ts';

type Told = readonly MetricData[];

/** As a worker with so many requests counted, and so many inside, tells it: over the channel to its primary. */
async function worker(requests: number, inside: number): Promise<Told> {
  const registers = [new Registry()];
  const labelNames = ['cell'];
  new Counter({ name: 'requests_total', help: 'r', labelNames, registers }).inc({ cell: 'cell-a' }, requests);
  new Gauge({ name: 'inside', help: 'i', registers }).set(inside);
  const seconds = new Histogram({ name: 'seconds', help: 's', buckets: [1], registers });
  for (let i = 0; i < requests; i += 1) seconds.observe(0.5);
  return structuredClone((await registers[0]?.getMetricsAsJSON()) ?? []);
}

function primary(): Registry {
  const registers = [new Registry()];
  new Counter({ name: 'requests_total', help: 'r', registers }).inc(0);
  new Gauge({ name: 'store_up', help: 'u', registers }).set(1);
  return registers[0] ?? new Registry();
}

async function gathered(machine: MachineMetrics, ...answers: (Told | null)[]): Promise<Sample[]> {
  const asked = new Map(answers.map((answer, i) => [i + 1, Promise.resolve(answer)]));
  return parseMetrics(await (await machine.gather(asked)).metrics());
}

test('each is there once: sums of the workers’, and what only the primary has', async () => {
  const machine = new MachineMetrics(primary());
  const samples = await gathered(machine, await worker(3, 1), await worker(4, 2));
  const names = samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
  expect(new Set(names).size).toBe(names.length);
  expect(sumOf(samples, 'requests_total', { cell: 'cell-a' })).toBe(7);
  expect(sumOf(samples, 'seconds_count')).toBe(7);
  expect(sumOf(samples, 'seconds_bucket', { le: '1' })).toBe(7);
  expect([sumOf(samples, 'inside'), sumOf(samples, 'store_up')]).toEqual([3, 1]);
});

test('of a worker that does not answer the counters stand, its gauges are missing, and that is counted', async () => {
  const machine = new MachineMetrics(primary());
  await gathered(machine, await worker(3, 1), await worker(4, 2));
  const samples = await gathered(machine, await worker(5, 1), null);
  expect([sumOf(samples, 'requests_total'), sumOf(samples, 'inside')]).toEqual([9, 1]);
  expect(machine.silent).toBe(1);
});

test('no count falls when workers end, however often', async () => {
  const machine = new MachineMetrics(primary());
  for (let i = 0; i < 4; i += 1) {
    await gathered(machine, await worker(10, 1));
    machine.left(1);
  }
  const samples = await gathered(machine, await worker(2, 1));
  expect([sumOf(samples, 'requests_total'), sumOf(samples, 'seconds_count')]).toEqual([42, 42]);
  expect(sumOf(samples, 'inside')).toBe(1);
});
