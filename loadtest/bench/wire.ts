// `npm run bench:wire`: broken requests, slow attackers and many tunnels against a real router, at length.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { BAD_INPUT, benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startStrictCell } from '../stubs/strict-cell.ts';
import { startWireCell } from './wire-cell.ts';
import { fuzz, type FuzzReport } from './wire-fuzz.ts';
import { playTunnels } from './tunnels.ts';
import { allMet, judge, printed, type Tried, type TunnelRun } from './wire-report.ts';
import { attackSlowly, canAttack, type SlowRun } from './wire-slow.ts';

const PARTS = ['fuzz', 'slow', 'tunnels'] as const;

type Flags = { cases: number; seed: number; tunnels: number; only?: (typeof PARTS)[number] };

/** Of the frames that go through the tunnels. */
const FRAME_BYTES = 1_048_576;

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'Broken requests, slow attackers, many tunnels. Exit code 1: a target is missed.';
  const program = benchCommand('bench:wire', description)
    .option('--cases <count>', 'how many broken requests', wholeNumber, 100_000)
    .option('--seed <number>', 'which ones', wholeNumber, 1)
    .option('--tunnels <count>', 'how many tunnels at once', wholeNumber, 1_000)
    .addOption(new Option('--only <part>', 'one part alone').choices(PARTS));
  return program.parse(argv).opts<Flags>();
}

async function run({ cases, seed, tunnels, only }: Flags, folder: string): Promise<number> {
  const wants = (part: (typeof PARTS)[number]): boolean => only === undefined || only === part;
  if (wants('slow') && !canAttack()) {
    process.stderr.write('cellgate: slowhttptest is not installed (Debian: apt-get install slowhttptest)\n');
    return BAD_INPUT;
  }
  const tried: Tried = {
    fuzz: wants('fuzz') ? await tryBroken(folder, seed, cases) : null,
    slow: wants('slow') ? await trySlow(folder) : null,
    tunnels: wants('tunnels') ? await tryTunnels(tunnels) : null,
  };
  for (const failure of tried.fuzz?.failures.slice(0, 20) ?? []) process.stderr.write(`${failure}\n`);
  const rows = judge(tried);
  process.stdout.write(`${printed(rows)}\n`);
  return allMet(rows) ? 0 : 1;
}

async function tryBroken(folder: string, seed: number, cases: number): Promise<FuzzReport> {
  say(`${cases} broken requests`);
  const cell = await startStrictCell();
  const router = await routerBefore(folder, cell.origin);
  const alive = (): boolean => router.child.running;
  const report = await fuzz({ port: Number(new URL(router.url).port), cell, alive }, { seed, cases });
  await router.stop();
  await cell.close();
  return report;
}

async function trySlow(folder: string): Promise<SlowRun[]> {
  const cell = await startWireCell();
  const router = await routerBefore(folder, cell.origin);
  try {
    const runs: SlowRun[] = [];
    for (const mode of ['head', 'body', 'read'] as const) {
      say(`slowhttptest, ${mode}`);
      runs.push(await attackSlowly(router, mode));
    }
    return runs;
  } finally {
    await router.stop();
    await cell.close();
  }
}

async function tryTunnels(count: number): Promise<TunnelRun> {
  say(`${count} tunnels`);
  return { wanted: count, ...(await playTunnels({ count, frameBytes: FRAME_BYTES })) };
}

async function routerBefore(folder: string, origin: string): Promise<RunningRouter> {
  const fleet = {
    tenant: [{ header: 'x-tenant-id' }, { path: '/t/:tenant' }],
    cells: { 'cell-a': { origin } },
    generations: [{ add: ['cell-a'] }],
  };
  const file = join(folder, 'fleet.json');
  writeFileSync(file, JSON.stringify(fleet));
  return await startRouter('router-1', { FLEET_FILE: file, FALL: '100', HOLD_MAX: '0' });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
