// The machine that the speed is measured on: which cores there are for what, and which tools are installed.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where what runs; null where processes can not be pinned. */
export type Cores = {
  /** The contender's, alone. */
  proxy: number | null;
  load: number | null;
  cells: number | null;
};

/** Paths of programs; null: not installed. */
export type Tools = {
  taskset: string | null;
  wrk: string | null;
  nginx: string | null;
  haproxy: string | null;
  h2load: string | null;
  openssl: string | null;
};

export type Machine = { cores: Cores; tools: Tools; about: string[] };

/** Debian keeps servers where only root looks. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Finds it all, and puts this process itself where the load runs. Throws where there is no Linux. */
export function findMachine(): Machine {
  if (process.platform !== 'linux')
    throw new Error('the bench reads /proc and uses addresses of 127.0.0.0/8: Linux');
  const tools: Tools = {
    taskset: find('taskset'),
    wrk: find('wrk'),
    nginx: find('nginx'),
    haproxy: find('haproxy'),
    h2load: find('h2load'),
    openssl: find('openssl'),
  };
  const allowed = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const cores = tools.taskset === null ? NOT_PINNED : share(coresIn(allowed));
  if (tools.taskset !== null && cores.load !== null)
    execFileSync(tools.taskset, ['-a', '-c', '-p', String(cores.load), String(process.pid)], {
      stdio: 'ignore',
    });
  return { cores, tools, about: aboutOf(cores, tools) };
}

const NOT_PINNED: Cores = { proxy: null, load: null, cells: null };

/** The last core to the contender, the first to the load, one of its own to the cells where there is one. Pure. */
export function share(cores: readonly number[]): Cores {
  const [first] = cores;
  const last = cores.at(-1);
  if (first === undefined || last === undefined || first === last) return NOT_PINNED;
  return { proxy: last, load: first, cells: cores.length > 2 ? (cores[1] ?? first) : first };
}

/** `0-2,5` → 0, 1, 2, 5. Pure. */
export function coresIn(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [low = Number.NaN, high = low] = part.split('-').map(Number);
    return Number.isNaN(low) ? [] : Array.from({ length: high - low + 1 }, (_, at) => low + at);
  });
}

/** How to start a command on a core. Pure. */
export function pinned(
  { tools }: Pick<Machine, 'tools'>,
  core: number | null,
  command: string,
  args: readonly string[],
): [string, ...string[]] {
  if (tools.taskset === null || core === null) return [command, ...args];
  return [tools.taskset, '-c', String(core), command, ...args];
}

function aboutOf({ proxy, load, cells }: Cores, tools: Tools): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const where =
    proxy === null
      ? 'nothing is pinned to a core (no taskset, or one core only): the figures hold less than they seem to'
      : `contender alone on core ${proxy}, load on core ${load}, cells on core ${cells}`;
  const installed = (['wrk', 'nginx', 'haproxy', 'h2load'] as const).map((name) => {
    const path = tools[name];
    return `${name} ${path === null ? 'not installed' : versionOf(name, path)}`;
  });
  return [`${cpus().length} × ${model}, Node ${process.version}`, where, installed.join(', ')];
}

/** The first number with a dot in what it says of itself; most say it on stderr, and some with an exit code. */
function versionOf(name: keyof Tools, path: string): string {
  const said = execFileSync(
    '/bin/sh',
    ['-c', '"$0" "$1" 2>&1; true', path, name === 'h2load' ? '--version' : '-v'],
    {
      encoding: 'utf8',
    },
  );
  return /\d+\.\d[\w.+-]*/.exec(said)?.[0] ?? 'unknown';
}

function find(name: string): string | null {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_FOLDERS]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}
