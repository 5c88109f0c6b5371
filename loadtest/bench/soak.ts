// `npm run bench:soak`: what a router's memory and descriptors become under idle connections, and under long mixed load.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { BAD_INPUT, benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { runIdle } from './soak-idle.ts';
import { runMixed } from './soak-mixed.ts';
import { CAN_LOOK } from './soak-process.ts';
import { judgeIdle, judgeMixed, printedFailures, printedSoak, soakMet } from './soak-report.ts';

const PARTS = ['idle', 'mixed'] as const;

type Part = (typeof PARTS)[number];
type Flags = {
  minutes?: number;
  rate: number;
  connections: number;
  quick: boolean;
  only?: Part;
  json?: string;
};

const MINUTE_MS = 60_000;
const FULL = { loadMs: 10 * MINUTE_MS, turnEveryMs: 30_000, restMs: 20_000, lookMs: 10_000, busyMs: 10_000 };
const QUICK = { loadMs: 1.5 * MINUTE_MS, turnEveryMs: 20_000, restMs: 5_000, lookMs: 3_000, busyMs: 3_000 };

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'Watches the memory of a router. Exit code 1: a target is missed.';
  const program = benchCommand('bench:soak', description)
    .option('--minutes <count>', 'how long the mixed load goes on (default: 10)', wholeNumber)
    .option('--rate <count>', 'requests a second of the mixed load', wholeNumber, 300)
    .option('--connections <count>', 'how many are idle', wholeNumber, 2_000)
    .option('--quick', 'the same in 1.5 minutes', false)
    .option('--json <file>', 'write all that was measured')
    .addOption(new Option('--only <part>', 'one part alone').choices(PARTS));
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run(
  { minutes, rate, connections, quick, only, json }: Flags,
  folder: string,
): Promise<number> {
  if (!CAN_LOOK) {
    process.stderr.write(
      'cellgate: memory and descriptors of a process are read from /proc: Linux alone has it\n',
    );
    return BAD_INPUT;
  }
  const plan = quick ? QUICK : FULL;
  const loadMs = minutes === undefined ? plan.loadMs : minutes * MINUTE_MS;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const wants = (part: Part): boolean => only === undefined || only === part;
  const idle = wants('idle') ? await runIdle({ ...plan, folder, connections, say }) : null;
  const mixed = wants('mixed') ? await runMixed({ ...plan, loadMs, folder, rate, say }) : null;
  const rows = [...(idle === null ? [] : judgeIdle(idle)), ...(mixed === null ? [] : judgeMixed(mixed))];
  if (mixed !== null) process.stderr.write(printedFailures(mixed));
  process.stdout.write(`${printedSoak(rows)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ rows, idle, mixed }, null, 2)}\n`);
  return soakMet(rows) ? 0 : 1;
}
