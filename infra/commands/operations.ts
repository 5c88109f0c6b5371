// The commands that change who serves whom: each waits until its handover has ended, and says how.
import { Command, Option } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import { askAdmin, changeAdmin } from './admin.ts';
import type { CellRow } from './cells.ts';
import {
  readPause,
  readPercent,
  readSteps,
  stagesFrom,
  stagesOf,
  withEnd,
  withStay,
  type EndOptions,
  type StayOptions,
} from './operation-options.ts';
import { leftOutText, pinText, shareText, type ChangedRecord } from './operations-text.ts';

type Print = (text: string) => void;
type DrainOptions = StayOptions & { percent?: number; steps?: number[]; pause: number };

/** All of them, to be added to the program. Each throws a `Failure`: 1 refused or undone, 2 bad input. */
export function operationCommands(print: Print): Command[] {
  return [drainCommand(print), evacuateCommand(print), restoreCommand(print), ...pinCommands(print)];
}

function drainCommand(print: Print): Command {
  return withStay(new Command('drain').argument('<cell>'))
    .description('hand a part of a cell’s tenants to its neighbour')
    .option('--percent <n>', 'how many of them shall be away in the end', readPercent)
    .option('--steps <list>', 'shares to go through on the way, as in 10,50,100', readSteps)
    .addOption(new Option('--pause <time>', 'between two steps').argParser(readPause).default(10, '10s'))
    .action(async (cell: string, options: DrainOptions) => {
      const stages = await stagesToCome(cell, options, print);
      for (const [i, percent] of stages.entries()) {
        if (i > 0) await pause(options.pause * 1_000);
        const record = await drain(cell, percent, options);
        if (options.json !== true) print(shareText(record));
        else if (i === stages.length - 1) print(JSON.stringify(record, null, 2));
      }
    });
}

/** Reads how much is away only where there are steps: a single share is what was asked for. */
async function stagesToCome(cell: string, options: DrainOptions, print: Print): Promise<number[]> {
  const stages = stagesOf(options);
  if (stages.length === 1) return stages;
  const { cells } = (await askAdmin('/v1/cells')) as { cells: CellRow[] };
  const row = cells.find(({ id }) => id === cell);
  if (row === undefined) return stages;
  const toCome = stagesFrom(stages, row);
  const leftOut = stages.filter((stage) => !toCome.includes(stage));
  if (leftOut.length > 0 && options.json !== true) print(leftOutText(cell, row.share, leftOut));
  return toCome;
}

function evacuateCommand(print: Print): Command {
  return withStay(new Command('evacuate').argument('<cell>'))
    .description('hand all of a cell’s tenants to its neighbour')
    .action(async (cell: string, options: StayOptions) =>
      tell(print, options, await drain(cell, 100, options), shareText),
    );
}

function restoreCommand(print: Print): Command {
  return withEnd(new Command('restore').argument('<cell>'))
    .description('hand all of a cell’s tenants back to it, whoever sent them away')
    .action(async (cell: string, options: EndOptions) => {
      const path = `/v1/cells/${encodeURIComponent(cell)}/restore`;
      tell(print, options, await changeAdmin('POST', path, wordsOf(options)), shareText);
    });
}

function pinCommands(print: Print): Command[] {
  const pathOf = (tenant: string): string => `/v1/pins/${encodeURIComponent(tenant)}`;
  const pin = withStay(new Command('pin').argument('<tenant>'))
    .description('have one tenant served by its home, or by the neighbour, whatever the share of the others')
    .requiredOption('--cell <cell>', 'the home, or its neighbour')
    .action(async (tenant: string, options: StayOptions & { cell: string }) => {
      const body = { ...wordsOf(options), expiresIn: options.expiresIn, cell: options.cell };
      const record = await changeAdmin('PUT', pathOf(tenant), body);
      tell(print, options, record, (changed) => pinText(changed, tenant));
    });
  const unpin = withEnd(new Command('unpin').argument('<tenant>'))
    .description('have one tenant served where the others of its home are')
    .action(async (tenant: string, options: EndOptions) => {
      const record = await changeAdmin('DELETE', pathOf(tenant), wordsOf(options));
      tell(print, options, record, (changed) => pinText(changed, tenant));
    });
  return [pin, unpin];
}

async function drain(cell: string, percent: number, options: StayOptions): Promise<ChangedRecord> {
  const body = { ...wordsOf(options), percent, expiresIn: options.expiresIn };
  return (await changeAdmin('POST', `/v1/cells/${encodeURIComponent(cell)}/drain`, body)) as ChangedRecord;
}

function wordsOf({ reason, owner, override }: EndOptions) {
  return { reason, owner, override };
}

function tell(
  print: Print,
  { json }: { json?: boolean },
  record: unknown,
  text: (record: ChangedRecord) => string,
): void {
  print(json === true ? JSON.stringify(record, null, 2) : text(record as ChangedRecord));
}
