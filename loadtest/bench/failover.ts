// `npm run bench:failover`: kills cells under load, and tells how long it took and who paid for it.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { allMet, judge, printed } from './failover-report.ts';
import { runFailover, type Plays } from './failover-run.ts';

type Flags = { kills?: number; rate: number; quick: boolean; level: '0' | '1'; json?: string };

const FULL: Plays = { kills: 20, freezes: 3, blackHoles: 3, unannounced: 3, lostRedis: 3, lostRouters: 3 };
const QUICK: Plays = { kills: 3, freezes: 1, blackHoles: 1, unannounced: 1, lostRedis: 1, lostRouters: 1 };

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'Kills cells under load. Exit code 1: a target is missed or undecided.';
  const program = benchCommand('bench:failover', description)
    .option('--kills <count>', 'how many cells are killed, one after the other', wholeNumber)
    .option('--rate <count>', 'requests a second, half of them POST', wholeNumber, 600)
    .option('--quick', 'each fault a few times only', false)
    .option('--json <file>', 'write all that was measured')
    .addOption(new Option('--level <level>', 'contract level of the cells').choices(['0', '1']).default('1'));
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run({ kills, rate, quick, level, json }: Flags, folder: string): Promise<number> {
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
