// `npm run bench:durability`: kills, cuts and robs cells while clients write, and tells what was lost.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { durabilityMet, printedDurability } from '../durability/report.ts';
import { runDurability } from '../durability/run.ts';
import { SCENARIOS } from '../durability/scenarios.ts';
import { benchCommand, runBench, wholeNumber } from '../rig/bench.ts';

type Flags = { quick: boolean; only: string[]; seed: number; cells: number; limit: number; json?: string };

const BROKEN_CLAIM = 1;
const STOPPED_BY_LIMIT = 3;
const NAMES = SCENARIOS.map(({ name }) => name);

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description =
    'Kills, cuts and robs cells while clients write. Exit code 1: a claim is broken. 3: stopped by the limit.';
  const program = benchCommand('bench:durability', description)
    .option('--quick', 'everything takes a tenth of its time', false)
    .addOption(new Option('--only <scenario...>', 'these scenarios alone').choices(NAMES).default(NAMES))
    .option('--seed <number>', 'of everything that is left to chance', wholeNumber, 1)
    .addOption(
      new Option('--cells <count>', 'how many cells there are')
        .choices(['2', '3'])
        .argParser(Number)
        .default(3),
    )
    .option('--limit <minutes>', 'no scenario is begun after so long', wholeNumber, 30)
    .option('--json <file>', 'write all that was measured');
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run({ quick, only, seed, cells, limit, json }: Flags, folder: string): Promise<number> {
  const scenarios = SCENARIOS.filter(({ name }) => only.includes(name));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const measured = await runDurability({
    folder,
    quick,
    seed,
    cells,
    scenarios,
    limitMs: limit * 60_000,
    say,
  });
  process.stdout.write(`${printedDurability(measured)}\n`);
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ seed, quick, cells, measured }, null, 2)}\n`);
  if (durabilityMet(measured)) return 0;
  const onlyLimit = durabilityMet({ ...measured, left: [] });
  return onlyLimit ? STOPPED_BY_LIMIT : BROKEN_CLAIM;
}
