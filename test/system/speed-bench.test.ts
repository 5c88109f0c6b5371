// The bench of the speed on a small scale: it runs to its end and compares bodies. No ratio is looked at.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startCells } from '../../loadtest/bench/contenders/cells.ts';
import { driverFor, type Bench } from '../../loadtest/bench/speed-bench.ts';
import { runGrowth } from '../../loadtest/bench/speed-growth.ts';
import { runLatency } from '../../loadtest/bench/speed-latency.ts';
import type { Machine } from '../../loadtest/bench/speed-machine.ts';
import { Repeats } from '../../loadtest/bench/speed-repeats.ts';
import { printedGrowth, printedLatency, printedTable } from '../../loadtest/bench/speed-report.ts';
import { runTable, type Series } from '../../loadtest/bench/speed-table.ts';
import { spawnScript, temporaryFolder, untilNoneOf } from '../support/processes.ts';
import { until } from '../support/wait.ts';

const SCRIPT = 'loadtest/bench/speed.ts';
const ALWAYS_THERE = ['cellgate', 'cellgate-log', 'plain', 'plain-log', 'http-proxy-3', 'bare'];

function newFolder(): string {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A machine with nothing but Node, on which nothing can be pinned. */
async function bareBench(): Promise<Bench> {
  const tools = { taskset: null, wrk: null, nginx: null, haproxy: null, h2load: null, openssl: null };
  const machine: Machine = { cores: { proxy: null, load: null, cells: null }, tools, about: [] };
  const folder = newFolder();
  const cells = await startCells(machine, folder);
  onTestFinished(() => cells.stop());
  const plan = { rounds: 1, windowMs: 200, warmMs: 200, latencyMs: 300, tenants: 2_000 };
  const say = (line: string): void => console.log(line);
  return { machine, folder, cells, ...driverFor(machine, undefined), plan, repeats: new Repeats(0), say };
}

test('everybody who is there is measured with every workload, and every answer was right', async () => {
  const folder = newFolder();
  const [json, svg] = [join(folder, 'speed.json'), join(folder, 'speed.svg')];
  const size = ['--only', 'table', '--rounds', '1', '--window', '200', '--repeats', '1'];
  const bench = spawnScript(SCRIPT, [...size, '--json', json, '--svg', svg], { TMPDIR: folder });
  // A target that is missed here says nothing: 0 and 1 are both its own words.
  expect({ code: await bench.exited, stderr: bench.stderr() }).toEqual({
    code: expect.toBeOneOf([0, 1]),
    stderr: expect.not.stringContaining('cellgate:'),
  });
  expect(bench.stdout()).toMatch(/^Cellgate +\d/m);
  const { table } = JSON.parse(readFileSync(json, 'utf8')) as { table: Series[] };
  for (const workload of ['get', 'post', 'large'] as const) {
    const there = table.filter((one) => one.workload === workload).map(({ contender }) => contender);
    expect(there).toEqual(expect.arrayContaining(ALWAYS_THERE));
  }
  for (const { samples } of table) {
    expect(samples).toHaveLength(1);
    expect(samples[0]?.compared).toBeGreaterThan(0);
    expect(samples[0]?.cpuUs).toBeGreaterThan(0);
  }
  expect(readFileSync(svg, 'utf8')).toContain('</svg>');
  expect(readdirSync(folder).sort()).toEqual(['speed.json', 'speed.svg']);
});

test('where nothing is installed, autocannon compares every body, and peers are said to be missing', async () => {
  const table = await runTable(await bareBench());
  expect(new Set(table.map(({ contender }) => contender))).toEqual(new Set(ALWAYS_THERE));
  for (const { samples } of table) {
    const [{ requests, compared } = { requests: 0, compared: 0 }] = samples;
    expect(requests).toBeGreaterThan(0);
    expect(compared).toBeGreaterThanOrEqual(requests);
  }
  expect(printedTable(table)).toMatch(/HAProxy +not installed/);
});

test('a fixed rate is sent straight to the cell and through the router', async () => {
  const latency = await runLatency(await bareBench());
  expect(latency.straight.map(({ requests }) => requests)).toEqual([300]);
  expect(latency.router.map(({ requests }) => requests)).toEqual([300]);
  expect(printedLatency(latency)).not.toContain('NaN');
});

test('a thousand cells, many tenants and many pins are measured beside a few', async () => {
  const growth = await runGrowth(await bareBench());
  expect(growth.map(({ id, cells, tenants, pins }) => [id, cells, tenants > 0, pins])).toEqual([
    ['few', 3, true, 0],
    ['many', 1_000, true, 0],
    ['pins', 3, true, 2_000],
  ]);
  expect(growth.find(({ id }) => id === 'many')?.tenants).toBe(2_000);
  expect(printedGrowth(growth)).not.toContain('NaN');
});

test('a run that is ended leaves nothing behind', async () => {
  const folder = newFolder();
  const bench = spawnScript(SCRIPT, ['--only', 'table', '--quick'], { TMPDIR: folder });
  await until('a contender is under load', () => bench.stderr().includes('none wrong'), 60_000);
  bench.stopGroup('SIGINT');
  expect(await bench.exited).toBe(130);
  await untilNoneOf(folder);
  expect(readdirSync(folder)).toEqual([]);
});
