// `npm run bench`: what a request costs Cellgate, beside what it costs others, all in one run on this machine.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { benchCommand, runBench, wholeNumber } from '../rig/bench.ts';
import { driverFor, type Bench, type DriverName, type Plan } from './speed-bench.ts';
import { startCells } from './contenders/cells.ts';
import { runGrowth } from './speed-growth.ts';
import { judgeSpeed, speedMet } from './speed-judge.ts';
import { runLatency } from './speed-latency.ts';
import { findMachine } from './speed-machine.ts';
import { OTHERS_MOST, Repeats } from './speed-repeats.ts';
import { pictureOf } from './speed-picture.ts';
import { printedGrowth, printedLatency, printedTable, printedTargets, printedTls } from './speed-report.ts';
import { runTable } from './speed-table.ts';
import { runTls } from './speed-tls.ts';

const SECTIONS = ['table', 'latency', 'growth', 'tls'] as const;
type Section = (typeof SECTIONS)[number];

type Flags = {
  rounds?: number;
  window?: number;
  tenants: number;
  repeats?: number;
  quick: boolean;
  only?: Section;
  driver?: DriverName;
  json?: string;
  svg?: string;
};

type Windows = Omit<Plan, 'tenants'> & { repeats: number };
const FULL: Windows = { rounds: 9, windowMs: 1_500, warmMs: 1_500, latencyMs: 2_000, repeats: 60 };
const QUICK: Windows = { rounds: 3, windowMs: 1_000, warmMs: 1_000, latencyMs: 1_000, repeats: 15 };

const flags = flagsOf(process.argv);
await runBench((folder) => run(flags, folder));

function flagsOf(argv: readonly string[]): Flags {
  const description = 'What a request costs, beside others. Exit code 1: a target is missed or undecided.';
  const program = benchCommand('bench', description)
    .option('--rounds <count>', 'how often each is measured, all in turns', wholeNumber)
    .option('--window <ms>', 'how long each is loaded in a round', wholeNumber)
    .option(
      '--tenants <count>',
      'how many distinct tenants are to make no difference',
      wholeNumber,
      1_000_000,
    )
    .option('--repeats <count>', 'how often what was disturbed is measured again, in all', wholeNumber)
    .option('--quick', 'a few short rounds only', false)
    .addOption(new Option('--only <section>', 'one section alone').choices(SECTIONS))
    .addOption(new Option('--driver <load>', 'wrk where it is installed').choices(['wrk', 'autocannon']))
    .option('--json <file>', 'write all that was measured')
    .option('--svg <file>', 'draw the table');
  return program.parse(argv).opts<Flags>();
}

/** Measures, prints, and answers the exit code. */
async function run({ only, json, svg, ...more }: Flags, folder: string): Promise<number> {
  const bench = await startBench(more, folder);
  const { machine, driver, plan, repeats } = bench;
  const wants = (section: Section): boolean => only === undefined || only === section;
  const table = wants('table') ? await runTable(bench) : null;
  const latency = wants('latency') ? await runLatency(bench) : null;
  const growth = wants('growth') ? await runGrowth(bench) : null;
  const tls = wants('tls') ? await runTls(bench) : null;
  await bench.cells.stop();
  const targets = judgeSpeed({ table, latency, growth }, plan.tenants);
  const about = [...machine.about, `load: ${driver}`, `${plan.rounds} rounds, ${repeatsTold(repeats)}`];
  const printed = [
    about.join('\n'),
    ...(table === null ? [] : [printedTable(table)]),
    ...(latency === null ? [] : [printedLatency(latency)]),
    ...(growth === null ? [] : [printedGrowth(growth)]),
    ...(wants('tls') ? [printedTls(tls)] : []),
    ...(targets.length === 0 ? [] : [printedTargets(targets)]),
  ];
  process.stdout.write(`${printed.join('\n\n')}\n`);
  if (json !== undefined) {
    const all = { about, plan, targets, table, latency, growth, tls };
    writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`);
  }
  if (svg !== undefined && table !== null)
    writeFileSync(svg, pictureOf(table, `${machine.about[0] ?? ''}, ${plan.rounds} rounds, ${driver}`));
  return speedMet(targets) ? 0 : 1;
}

async function startBench(
  { rounds, window, tenants, repeats: most, quick, driver: wanted }: Flags,
  folder: string,
): Promise<Bench> {
  const { repeats, ...windows } = quick ? QUICK : FULL;
  const machine = findMachine();
  const { driver, drive } = driverFor(machine, wanted);
  const windowMs = window ?? windows.windowMs;
  const plan: Plan = { ...windows, rounds: rounds ?? windows.rounds, windowMs, tenants };
  if (window !== undefined) Object.assign(plan, { warmMs: window, latencyMs: window });
  const cells = await startCells(machine, folder);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  return { machine, folder, cells, driver, drive, plan, repeats: new Repeats(most ?? repeats), say };
}

function repeatsTold({ used, givenUp }: Repeats): string {
  const why = `because others took over ${OTHERS_MOST * 100} % of the machine`;
  return `${used} measurements repeated ${why}${givenUp === 0 ? '' : `, ${givenUp} kept in spite of that`}`;
}
