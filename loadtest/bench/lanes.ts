// `npm run bench:lanes`: gives a neighbour twice its load, and a cell a noisy tenant, and tells who paid for it.
import { writeFileSync } from 'node:fs';
import { benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { judgeLanes, lanesMet, printedLanes } from './lanes-report.ts';
import { runLanes } from './lanes-run.ts';

type Flags = { rounds?: number; quick: boolean; json?: string };

const FULL = { rounds: 8, windowMs: 5_000 };
const QUICK = { rounds: 3, windowMs: 3_000 };

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'Loads a neighbour twice. Exit code 1: a target is missed or undecided.';
  const program = benchCommand('bench:lanes', description)
    .option('--rounds <count>', 'how often each is measured, beside its control', wholeNumber)
    .option('--quick', 'a few short rounds only', false)
    .option('--json <file>', 'write all that was measured');
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run({ rounds, quick, json }: Flags, folder: string): Promise<number> {
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
