// The flags of `npm start`: every bad one is named at once.
import { Command, CommanderError } from 'commander';
import { EXIT, Failure } from '../failure.ts';

/** What the local fleet shall be. Router `i` (from 0) listens on `port + i` and `adminPort + i`. */
export type Options = {
  cells: number;
  routers: number;
  port: number;
  adminPort: number;
  /** Cells take this port and the next free ones. */
  cellPort: number;
  /** Restart what dies, a few seconds later. */
  respawn: boolean;
};

const RANGES = [
  ['cells', '--cells', 1, 26],
  ['routers', '--routers', 1, 16],
  ['port', '--port', 1, 65_535],
  ['adminPort', '--admin-port', 1, 65_535],
  ['cellPort', '--cell-port', 1, 65_535],
] as const;

function command(): Command {
  return new Command('npm start --')
    .description(
      'A fleet on this machine: cells, each with its own PostgreSQL, and routers in front of them.',
    )
    .option('--cells <n>', 'cells, 1 to 26; a single cell has no neighbour', '3')
    .option('--routers <n>', 'routers, 1 to 16; more than one needs Redis', '1')
    .option('--port <port>', 'public port of the first router; the others take the next ones', '8080')
    .option('--admin-port <port>', 'admin port of the first router; the others take the next ones', '9090')
    .option('--cell-port <port>', 'first port to try for the cells', '4101')
    .option('--respawn', 'restart a cell or router that dies, after about 3 s', false)
    .addHelpText(
      'after',
      '\nREDIS_URL: the Redis to use; without it a redis-server or valkey-server found here.',
    )
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
}

/**
 * The options, or `undefined` when only help was wanted (it has been printed).
 * Throws a `Failure` (exit code 2) with one line for each bad flag.
 */
export function readOptions(argv: readonly string[]): Options | undefined {
  const parser = command();
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new Failure(EXIT.badInput, error.message.replace(/^error: /, ''));
  }
  const given = parser.opts<Record<string, string> & { respawn: boolean }>();
  const numbers: Record<string, number> = {};
  const faults: string[] = [];
  for (const [name, flag, low, high] of RANGES) {
    const text = given[name] ?? '';
    const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    numbers[name] = value;
    if (!(value >= low && value <= high)) {
      faults.push(`${flag} ${text}: not a whole number from ${low} to ${high}`);
    }
  }
  const options = { ...numbers, respawn: given.respawn } as Options;
  if (faults.length === 0) faults.push(...portFaults(options));
  if (faults.length > 0) throw new Failure(EXIT.badInput, faults.join('\n'));
  return options;
}

function portFaults({ port, adminPort, routers }: Options): string[] {
  const faults: string[] = [];
  for (const [flag, first] of [
    ['--port', port],
    ['--admin-port', adminPort],
  ] as const) {
    if (first + routers - 1 > 65_535) {
      faults.push(`${flag} ${first}: ${routers} routers would pass port 65535`);
    }
  }
  if (Math.abs(port - adminPort) < routers) {
    faults.push(`--port ${port} and --admin-port ${adminPort} overlap: ${routers} of each are needed`);
  }
  return faults;
}
