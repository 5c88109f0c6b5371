// `npm run bench:lanes`: gives a neighbour twice its load, and a cell a noisy tenant, and tells who paid for it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { killAllChildren } from '../rig/child.ts';
import { judgeLanes, lanesMet, printedLanes } from './lanes-report.ts';
import { runLanes } from './lanes-run.ts';

type Flags = { rounds?: number; quick: boolean; json?: string };

const FULL = { rounds: 8, windowMs: 5_000 };
const QUICK = { rounds: 3, windowMs: 3_000 };

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
  const program = new Command('bench:lanes')
    .description('Loads a neighbour twice. Exit code 1: a target is missed or undecided.')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : BAD_INPUT))
    .option('--rounds <count>', 'how often each is measured, beside its control', wholeNumber)
    .option('--quick', 'a few short rounds only', false)
    .option('--json <file>', 'write all that was measured');
  return program.parse(argv).opts<Flags>();
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new InvalidArgumentError('allowed: a whole number from 1 on');
  return Number(value);
}

/** Measures, prints, and answers the exit code. */
async function run({ rounds, quick, json }: Flags): Promise<number> {
  const plan = quick ? QUICK : FULL;
  const measured = await runLanes({
    ...plan,
    rounds: rounds ?? plan.rounds,
    folder,
    withoutLanes: true,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const rows = judgeLanes(measured);
  process.stdout.write(`${printedLanes(rows, measured.rounds.length)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ rows, measured }, null, 2)}\n`);
  return lanesMet(rows) ? 0 : 1;
}

function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}
