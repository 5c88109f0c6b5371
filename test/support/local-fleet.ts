// A local fleet as `npm start` runs it, in a temporary folder of its own, for system tests.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { processesOf, spawnScript, temporaryFolder, untilNoneOf, type Spawned } from './processes.ts';

/** Longer than any stop is promised to take: a bound against hanging. */
const GONE_LIMIT_MS = 20_000;

export type LocalRun = Spawned & {
  /** The TMPDIR of all its processes. */
  folder: string;
  port: number;
  adminPort: number;
  /** Runs `cellgate …` beside it: exit code and output. */
  cellgate: (...args: string[]) => Promise<{ code: number | string; out: string; err: string }>;
  /** The pid of a process of the fleet by its name, and the path of its control socket, from its registry entry. */
  pidOf: (name: string) => number;
  controlSocket: () => string;
  /** Waits until all of its processes and files are gone; rejects with what is left. */
  untilNothingIsLeft: () => Promise<void>;
  /** Whatever the test did: kills what still runs and removes the folder. */
  clean: () => Promise<void>;
};

/** Starts it on free ports, with a fresh folder or that of an earlier run. Doesn't wait until it is ready. */
export async function startLocal(
  args: readonly string[],
  { env = {}, folder = temporaryFolder() }: { env?: Record<string, string>; folder?: string } = {},
): Promise<LocalRun> {
  // Routers take the ports that follow, and cells the next free ones.
  const [port, adminPort, cellPort] = [await freePorts(4), await freePorts(4), await freePorts(4)];
  const ports = ['--port', port, '--admin-port', adminPort, '--cell-port', cellPort].map(String);
  const childEnv = { TMPDIR: folder, HOME: folder, ...env };
  const runner = spawnScript('infra/local/main.ts', [...ports, ...args], childEnv);

  const cellgate: LocalRun['cellgate'] = async (...cliArgs) => {
    const cli = spawnScript('infra/cli.ts', cliArgs, {
      ...childEnv,
      CELLGATE_ADMIN: `http://127.0.0.1:${adminPort}`,
    });
    return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
  };
  const entry = (): { socket: string; children: { name: string; pid: number }[] } =>
    JSON.parse(
      readFileSync(join(folder, `cellgate-${process.getuid?.()}`, `${runner.pid}.json`), 'utf8'),
    ) as never;
  const pidOf = (name: string): number => {
    const child = entry().children.find((one) => one.name === name);
    if (child === undefined) throw new Error(`${name} does not run`);
    return child.pid;
  };
  const untilNothingIsLeft = async (): Promise<void> => {
    await untilNoneOf(folder, GONE_LIMIT_MS);
    const left = readdirSync(folder, { recursive: true }).map(String);
    const files = left.filter((name) => !/^cellgate-\d+$/.test(name));
    if (files.length > 0) throw new Error(`files are left: ${files.slice(0, 10).join(', ')}`);
  };
  const clean = async (): Promise<void> => {
    for (const { pid } of processesOf(folder)) kill(pid);
    await untilNoneOf(folder, GONE_LIMIT_MS);
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    ...runner,
    folder,
    port,
    adminPort,
    cellgate,
    pidOf,
    controlSocket: () => entry().socket,
    untilNothingIsLeft,
    clean,
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A PATH on which nothing is found, Redis no more than anything else. */
export const EMPTY_PATH = '/nowhere';
