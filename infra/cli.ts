#!/usr/bin/env node
// The command line, `npx cellgate …`: which commands there are; what each does lives in commands/.
import '../node-version.mjs';
import { Command, CommanderError } from 'commander';
import { cells } from './commands/cells.ts';
import { checkCellCommand } from './commands/check-cell.ts';
import { checkFleet } from './commands/check-fleet.ts';
import { explain } from './commands/explain.ts';
import { pid, restart, status, type Which } from './commands/local.ts';
import { cutOverCommand } from './commands/cut-over.ts';
import { events, type EventsOptions } from './commands/events.ts';
import { operationCommands } from './commands/operations.ts';
import { plan, type PlanOptions } from './commands/plan.ts';
import { quarantineCommands } from './commands/quarantine.ts';
import { EXIT, Failure, oneLine } from './failure.ts';

type Json = { json?: boolean };

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function localCommands(): Command {
  const local = new Command('local').description('the fleet that npm start runs on this machine');
  const which = (command: Command): Command =>
    command
      .option('--port <port>', 'the fleet with this public port, where several run')
      .option('--admin-port <port>', 'the fleet with this admin port, where several run');
  which(local.command('restart <name>'))
    .description('stop a cell (or a router) if it runs, start it again, wait until it is ready')
    .action(async (name: string, options: Which) => print(await restart(name, options)));
  which(local.command('pid <name>'))
    .description('the pid of one of its processes, for kill')
    .action(async (name: string, options: Which) => print(await pid(name, options)));
  which(local.command('status'))
    .description('its processes, with pids and states')
    .option('--json', 'as JSON')
    .action(async (options: Which & Json) => print(await status(options, options)));
  return local;
}

function program(): Command {
  const cellgate = new Command('cellgate')
    .description('Ask and steer a Cellgate router, check a fleet file or a cell, run the local fleet.')
    .addHelpText(
      'after',
      '\nCELLGATE_ADMIN: a router’s admin port (default http://127.0.0.1:9090)' +
        '\nCELLGATE_TOKEN: a token of its ADMIN_TOKEN, for whatever changes something' +
        '\nExit codes: 0 done, 1 the answer is no or nobody answered, 2 bad input, 3 stopped by a limit',
    );
  cellgate
    .command('explain <tenant>')
    .description('which cell serves a tenant, and why')
    .option('--json', 'as JSON')
    .action(async (tenant: string, options: Json) => print(await explain(tenant, options)));
  cellgate
    .command('cells')
    .description('all cells as a router sees them')
    .option('--json', 'as JSON')
    .action(async (options: Json) => print(await cells(options)));
  cellgate
    .command('plan')
    .description('how full each neighbour gets if its cell dies now; with a file, what that would change')
    .option('--fleet <file>', 'a new fleet file, tried and not put in force')
    .option('--json', 'as JSON')
    .action(async (options: PlanOptions) => {
      const { text, exitCode } = await plan(options);
      print(text);
      process.exitCode = exitCode;
    });
  cellgate
    .command('check-fleet [file]')
    .description('validate a fleet file (default: FLEET_FILE, else infra/fleet.yaml)')
    .action((file: string | undefined) => print(checkFleet(file)));
  cellgate
    .command('events')
    .description('who changed what, when and why; the newest last')
    .option('--limit <n>', 'how many, 1 to 1000', '20')
    .option('--follow', 'go on with those that come')
    .option('--json', 'as JSON; with --follow one a line')
    .action(async (options: EventsOptions) => events(options, print));
  const operations = [...operationCommands(print), cutOverCommand(print), ...quarantineCommands(print)];
  for (const command of [checkCellCommand(print), ...operations]) {
    cellgate.addCommand(command);
  }
  return cellgate.addCommand(localCommands());
}

/** Every command, and those below it, throws instead of exiting: exit codes are decided in one place. */
function throwing(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  for (const below of command.commands) throwing(below);
  return command;
}

function codeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help that was asked for has been printed; help in place of a missing command is bad input.
    if (error.exitCode === 0) return 0;
    const text = error.code === 'commander.help' ? 'which command? See cellgate --help' : error.message;
    process.stderr.write(`${text.replace(/^error: /, '')}\n`);
    return EXIT.badInput;
  }
  process.stderr.write(`${error instanceof Failure ? error.message : oneLine(error)}\n`);
  return error instanceof Failure ? error.exitCode : EXIT.no;
}

// `cellgate cells | head -1` closes the pipe early: that is no error of ours.
process.stdout.on('error', () => undefined);
try {
  await throwing(program()).parseAsync();
} catch (error) {
  process.exitCode = codeOf(error);
}
