// One process of a run: it never outlives us, however we end, and its exit can be waited for.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { childEnv } from './child-env.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export type Child = {
  pid: number;
  /** Resolves once it is gone and all of its sockets are closed. */
  exited: Promise<void>;
  readonly running: boolean;
  /** All that it has written to stderr. */
  stderr(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, SIGKILL after `graceMs`; resolves when it is gone. 0: SIGKILL at once. */
  stop(graceMs?: number): Promise<void>;
};

const running = new Set<Child>();

/** Ends every child at once, for when the run itself is ended. */
export async function killAllChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop(0)));
}

/**
 * Runs `command` in the project's folder, in a session of its own: Ctrl-C reaches us alone, and we end it. Its
 * environment is PATH and `env`. `onLine` gets each line of its stdout.
 */
export function startChild(
  command: string,
  args: readonly string[],
  { env = {}, onLine }: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): Child {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: childEnv(env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  if (pid === undefined) throw new Error(`${command} can not be started`);
  endWithUs(child, pid);
  if (onLine === undefined) child.stdout.resume();
  else createInterface({ input: child.stdout }).on('line', onLine);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const stop = async (graceMs = 5_000): Promise<void> => {
    child.kill(graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(limit);
  };
  const started: Child = {
    pid,
    exited,
    get running() {
      return running.has(started);
    },
    stderr: () => stderr,
    signal: (name) => void child.kill(name),
    stop,
  };
  running.add(started);
  void exited.then(() => running.delete(started));
  return started;
}

/**
 * A killed process runs no clean-up. This shell waits for the end of its input, which comes when we are gone however
 * we went, and then ends the child, a stopped one too.
 */
function endWithUs(child: ChildProcess, pid: number): void {
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -9 "$1"', 'sh', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  child.once('exit', () => guard.kill('SIGKILL'));
}
