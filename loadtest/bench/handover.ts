// `npm run bench:handover`: changes who serves whom under load, in every way there is, and tells who paid for it.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { KINDS } from './handover-kinds.ts';
import { handoversMet, judgeHandovers, printedHandovers } from './handover-report.ts';
import { runHandovers } from './handover-run.ts';

type Flags = { plays?: number; rate: number; quick: boolean; only: string[]; json?: string };

const FULL = 6;
const QUICK = 2;

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'Hands tenants over under load. Exit code 1: a target is missed.';
  const program = benchCommand('bench:handover', description)
    .option('--plays <count>', 'how often each kind of change is played', wholeNumber)
    .option('--rate <count>', 'requests a second, half of them POST', wholeNumber, 400)
    .option('--quick', 'each kind a few times only', false)
    .addOption(new Option('--only <kind...>', 'these kinds alone').choices(KINDS).default([...KINDS]))
    .option('--json <file>', 'write all that was measured');
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run({ plays, rate, quick, only, json }: Flags, folder: string): Promise<number> {
  const kinds = KINDS.filter((kind) => only.includes(kind));
  const measured = await runHandovers({
    folder,
    rate,
    plays: plays ?? (quick ? QUICK : FULL),
    kinds,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const rows = judgeHandovers(measured, kinds);
  process.stdout.write(`${printedHandovers(rows, measured, rate)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ rate, rows, measured }, plain, 2)}\n`);
  return handoversMet(rows, measured, rate) ? 0 : 1;
}

/** A histogram as an object, its edges as names. */
function plain(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
