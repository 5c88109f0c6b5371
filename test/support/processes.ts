// Real processes for system tests: started in a group of their own with a clean environment, and proved gone.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { childEnv } from '../../loadtest/rig/child-env.ts';
import { until } from './wait.ts';

/** What scripts are named from. */
const ROOT = join(import.meta.dirname, '../..');

/**
 * An empty folder that others may pass through (root's PostgreSQL runs under another uid).
 * As a process's TMPDIR it holds all that the process writes, and tells its descendants from everybody else's.
 */
export function temporaryFolder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'cg-test-')));
  chmodSync(path, 0o711);
  return path;
}

export type Spawned = {
  process: ChildProcess;
  pid: number;
  /** All that it has written so far. */
  stdout: () => string;
  stderr: () => string;
  /** Resolves with its exit code, or the name of the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>;
  /** The first line of stdout that matches, waited for; rejects with all output when it exits before. */
  waitForLine: (pattern: RegExp, limitMs?: number) => Promise<string>;
  /** Signals its whole process group; one that is gone is no error. */
  stopGroup: (signal: NodeJS.Signals) => void;
};

/**
 * Runs `script` (from the project's folder) with the Node that runs the tests, in a process group of its own.
 * Its environment is PATH and `env` alone.
 */
export function spawnScript(
  script: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Spawned {
  const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    cwd: ROOT,
    env: childEnv({ PATH: path, ...env }),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  let ended = false;
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended = true;
      resolve(code ?? signal ?? -1);
    });
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${script} did not start`);
  const waitForLine = async (pattern: RegExp, limitMs?: number): Promise<string> => {
    const found = (): string | undefined =>
      out
        .split('\n')
        .slice(0, -1)
        .find((line) => pattern.test(line));
    await until(
      `${script} writes ${String(pattern)}; so far:\n${out}${err}`,
      () => found() ?? ended,
      limitMs,
    );
    const line = found();
    if (line === undefined)
      throw new Error(`${script} ended before it wrote ${String(pattern)}:\n${out}${err}`);
    return line;
  };
  return {
    process: child,
    pid,
    stdout: () => out,
    stderr: () => err,
    exited,
    waitForLine,
    stopGroup: (signal) => signalGroup(pid, signal),
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export type Found = { pid: number; command: string };

/** Every live process whose command line, environment or working folder names `path`. Zombies don't count. */
export function processesOf(path: string): Found[] {
  return pids().flatMap((pid) => {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    const about = [command, read(`/proc/${pid}/environ`), linkOf(`/proc/${pid}/cwd`)].join('\n');
    return pid !== process.pid && !isZombie(pid) && about.includes(path) ? [{ pid, command }] : [];
  });
}

/** The processes that `pid` started, and those that they did, as long as the chain of parents holds. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map(pids().map((one) => [one, Number(statFields(one)[1])]));
  const below = (parent: number): number[] =>
    [...parents].flatMap(([one, its]) => (its === parent ? [one, ...below(one)] : []));
  return below(pid);
}

/** Waits until no process names `path` any more; rejects with those that still do. */
export async function untilNoneOf(path: string, limitMs = 10_000): Promise<void> {
  await until(`no process of ${path} is left`, () => processesOf(path).length === 0, limitMs).catch(
    (error: unknown) => {
      const left = processesOf(path).map(({ pid, command }) => `${pid} ${command}`);
      throw new Error(`still there: ${left.join('; ')}`, { cause: error });
    },
  );
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The fields of /proc/PID/stat after the name, which may hold anything: state, parent, group, session, … */
function statFields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function isZombie(pid: number): boolean {
  return statFields(pid)[0] === 'Z';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
