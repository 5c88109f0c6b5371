// `npm run bench:wire`: broken requests, slow attackers and many tunnels against a real router, at length.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { killAllChildren } from '../rig/child.ts';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startStrictCell } from '../stubs/strict-cell.ts';
import { startWireCell } from './wire-cell.ts';
import { fuzz, type FuzzReport } from './wire-fuzz.ts';
import { allMet, judge, printed, type Tried } from './wire-report.ts';
import { attackSlowly, canAttack, type SlowRun } from './wire-slow.ts';
import { openTunnels, type TunnelRun } from './wire-tunnels.ts';

const PARTS = ['fuzz', 'slow', 'tunnels'] as const;

type Flags = { cases: number; seed: number; tunnels: number; only?: (typeof PARTS)[number] };

/** The exit code of a flag that is not understood, and of a tool that is missing. */
const BAD_INPUT = 2;

const flags = flagsOf(process.argv);
const folder = mkdtempSync(join(tmpdir(), 'cellgate-wire-'));
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    void killAllChildren().finally(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(code);
    });
  });
}

try {
  process.exitCode = await run(flags);
} catch (error) {
  process.stderr.write(`cellgate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await killAllChildren();
  rmSync(folder, { recursive: true, force: true });
}

function flagsOf(argv: readonly string[]): Flags {
  const program = new Command('bench:wire')
    .description('Broken requests, slow attackers, many tunnels. Exit code 1: a target is missed.')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : BAD_INPUT))
    .option('--cases <count>', 'how many broken requests', wholeNumber, 100_000)
    .option('--seed <number>', 'which ones', wholeNumber, 1)
    .option('--tunnels <count>', 'how many tunnels at once', wholeNumber, 1_000)
    .addOption(new Option('--only <part>', 'one part alone').choices(PARTS));
  return program.parse(argv).opts<Flags>();
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('allowed: a whole number from 1 on');
  return Number(value);
}

async function run({ cases, seed, tunnels, only }: Flags): Promise<number> {
  const wants = (part: (typeof PARTS)[number]): boolean => only === undefined || only === part;
  if (wants('slow') && !canAttack()) {
    process.stderr.write('cellgate: slowhttptest is not installed (Debian: apt-get install slowhttptest)\n');
    return BAD_INPUT;
  }
  const tried: Tried = {
    fuzz: wants('fuzz') ? await tryBroken(seed, cases) : null,
    slow: wants('slow') ? await trySlow() : null,
    tunnels: wants('tunnels') ? await tryTunnels(tunnels) : null,
  };
  for (const failure of tried.fuzz?.failures.slice(0, 20) ?? []) process.stderr.write(`${failure}\n`);
  const rows = judge(tried);
  process.stdout.write(`${printed(rows)}\n`);
  return allMet(rows) ? 0 : 1;
}

async function tryBroken(seed: number, cases: number): Promise<FuzzReport> {
  say(`${cases} broken requests`);
  const cell = await startStrictCell();
  const router = await routerBefore(cell.origin);
  const alive = (): boolean => router.child.running;
  const report = await fuzz({ port: Number(new URL(router.url).port), cell, alive }, { seed, cases });
  await router.stop();
  await cell.close();
  return report;
}

async function trySlow(): Promise<SlowRun[]> {
  return await withWireCell(async (router) => {
    const runs: SlowRun[] = [];
    for (const mode of ['head', 'body', 'read'] as const) {
      say(`slowhttptest, ${mode}`);
      runs.push(await attackSlowly(router, mode));
    }
    return runs;
  });
}

async function tryTunnels(count: number): Promise<TunnelRun> {
  say(`${count} tunnels`);
  return await withWireCell(async (router) => await openTunnels(Number(new URL(router.url).port), count));
}

async function withWireCell<T>(use: (router: RunningRouter) => Promise<T>): Promise<T> {
  const cell = await startWireCell();
  const router = await routerBefore(cell.origin);
  try {
    return await use(router);
  } finally {
    await router.stop();
    await cell.close();
  }
}

async function routerBefore(origin: string): Promise<RunningRouter> {
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
