// `npm run bench:failover`: kills cells under load, and tells how long it took and who paid for it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { killAllChildren } from '../rig/child.ts';
import { allMet, judge, printed } from './failover-report.ts';
import { runFailover, type Plays } from './failover-run.ts';

type Flags = { kills?: number; rate: number; quick: boolean; level: '0' | '1'; json?: string };

const FULL: Plays = { kills: 20, freezes: 3, blackHoles: 3, unannounced: 3, lostRedis: 3, lostRouters: 3 };
const QUICK: Plays = { kills: 3, freezes: 1, blackHoles: 1, unannounced: 1, lostRedis: 1, lostRouters: 1 };

/** The exit code of a flag that is not understood. */
const BAD_INPUT = 2;

const flags = flagsOf(process.argv);
const folder = mkdtempSync(join(tmpdir(), 'cellgate-bench-'));
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    void killAllChildren().finally(() => {
      removeFolder();
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
  removeFolder();
}

function flagsOf(argv: readonly string[]): Flags {
  const program = new Command('bench:failover')
    .description('Kills cells under load. Exit code 1: a target is missed or undecided.')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : BAD_INPUT))
    .option('--kills <count>', 'how many cells are killed, one after the other', wholeNumber)
    .option('--rate <count>', 'requests a second, half of them POST', wholeNumber, 600)
    .option('--quick', 'each fault a few times only', false)
    .option('--json <file>', 'write all that was measured')
    .addOption(new Option('--level <level>', 'contract level of the cells').choices(['0', '1']).default('1'));
  return program.parse(argv).opts<Flags>();
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new InvalidArgumentError('allowed: a whole number from 1 on');
  return Number(value);
}

/** Measures, prints, and answers the exit code. */
async function run({ kills, rate, quick, level, json }: Flags): Promise<number> {
  const plays = quick ? QUICK : FULL;
  const measured = await runFailover({
    ...plays,
    kills: kills ?? plays.kills,
    folder,
    rate,
    level: level === '1' ? 1 : 0,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const rows = judge(measured, rate);
  process.stdout.write(`${printed(rows)}\n`);
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ rate, level, rows, measured }, null, 2)}\n`);
  return allMet(rows) ? 0 : 1;
}

function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}
