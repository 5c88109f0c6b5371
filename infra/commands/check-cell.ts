// `cellgate check-cell`: which level of the contract does a service speak, and what is missing?
import { Command, InvalidArgumentError, Option } from 'commander';
import { checkCell } from '../check-cell/check.ts';
import type { Finding, Level } from '../check-cell/findings.ts';
import { PROBE_HOME } from '../check-cell/probe-rules.ts';
import { EXIT, Failure } from '../failure.ts';
import { table } from '../table.ts';

type Options = { level?: Level; bringRules: boolean; home?: string; path: string; json?: boolean };
type Report = { level: Level | null; findings: readonly Finding[] };

const CELL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const ABOUT_RULES = `
Without --bring-rules it sends GETs alone, which harm no cell: health, and one request of a tenant that there is not. That
tells level 0, and what health shows of the others.

With --bring-rules it brings the cell rules and asks for tenants, as a router would. They are about the home ${PROBE_HOME},
which is in no fleet: no tenant of a fleet is served otherwise by them, and the last one leaves that home without tenants
here. A cell with standbys takes rules of its own pair alone: give it its own name as --home, but only while no router has
it in its fleet, because its own tenants come and go meanwhile. What it showed before is brought again at the end.

CELL_TOKEN: the token that the cell takes rules with, where it has one
Exit codes: 0 the level holds, 1 it does not or nobody answered, 2 bad input`;

/** To be added to the program. Throws a `Failure`: 2 bad input. */
export function checkCellCommand(print: (text: string) => void): Command {
  return new Command('check-cell')
    .description('which level of docs/cell-contract.md a service speaks, and what is missing')
    .argument('<url>', 'its origin, as it would be in the fleet file', readOrigin)
    .addOption(
      new Option('--level <n>', 'the level that must hold: 0, 1 or 2').argParser(readLevel).default(0),
    )
    .option(
      '--bring-rules',
      'try levels 1 and 2 as well, which changes whom the cell serves: see below',
      false,
    )
    .addOption(
      new Option(
        '--home <cell>',
        `whose tenants the rules are about (default: ${PROBE_HOME}, of no fleet)`,
      ).argParser(readCell),
    )
    .addOption(
      new Option('--path <path>', 'where tenants are asked for, by GET')
        .argParser(readPath)
        .default('/check-cell'),
    )
    .option('--json', 'as JSON: {level, findings: [{level, requirement, holds, result}]}')
    .addHelpText('after', ABOUT_RULES)
    .action(async (origin: string, options: Options) => {
      const { level } = await tell(origin, options, print);
      if (level === null || level < (options.level ?? 0)) process.exitCode = EXIT.no;
    });
}

async function tell(origin: string, options: Options, print: (text: string) => void): Promise<Report> {
  const { level = 0, bringRules, home, path, json } = options;
  if (level > 0 && !bringRules) {
    throw new Failure(EXIT.badInput, `level ${level} can not be told without --bring-rules (see --help)`);
  }
  const findings = await checkCell({ origin, path, bringRules, home, token: tokenOf(process.env) });
  const report = { level: findings.level, findings: findings.all };
  print(json === true ? JSON.stringify(report, null, 2) : reportText(report));
  return report;
}

/** A line a requirement, those of a level together, and the level in the last line. */
export function reportText({ level, findings }: Report): string {
  const rows = findings
    .toSorted((one, other) => one.level - other.level)
    .map((finding) => [String(finding.level), finding.requirement, finding.result]);
  return `${table(['level', 'requirement', 'result'], rows)}\n${level === null ? 'no level' : `level ${level}`}`;
}

function tokenOf(env: NodeJS.ProcessEnv): string | undefined {
  const token = env['CELL_TOKEN'] ?? '';
  if (token === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new Failure(EXIT.badInput, 'CELL_TOKEN is no token (allowed: visible ASCII characters)');
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (isOrigin) return url.origin;
  throw new InvalidArgumentError('Allowed: http://host:port or https://host:port, without a path.');
}

function readLevel(text: string): Level {
  const level = ([0, 1, 2] as const).find((one) => String(one) === text);
  if (level !== undefined) return level;
  throw new InvalidArgumentError('Allowed: 0, 1, 2.');
}

function readCell(text: string): string {
  if (CELL.test(text)) return text;
  throw new InvalidArgumentError('Allowed: the name of a cell, such as cell-a.');
}

function readPath(text: string): string {
  if (/^\/[\x21-\x7e]*$/.test(text)) return text;
  throw new InvalidArgumentError('Allowed: a path such as /orders.');
}
