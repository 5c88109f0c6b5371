// Starts real cells for tests: a process each, with its own PostgreSQL, and nothing left behind after stop().
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stopDatabase } from '../../cell-template/postgres/embedded.ts';
import { freePort } from './ports.ts';
import { childEnv } from '../../loadtest/rig/child-env.ts';
import type { Rule } from '../../router/health/record.ts';
import { ruleOf } from './rules.ts';
import { until } from './wait.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** From SIGTERM to the end; longer is a fault, and then the process is killed. */
const STOP_LIMIT_MS = 15_000;

export type StartOptions = {
  id: string;
  /** Default: a new temporary folder. With a killed cell's folder the new one finds its data. */
  dataDir?: string;
  /** Default: a free port. */
  port?: number;
  /** Added to the environment of the cell, which otherwise holds only PATH and the cell's own variables. */
  env?: Record<string, string>;
  /** Brought to it once it listens, as a router would; default: it serves all of its own tenants. null: it serves nobody. */
  rule?: Rule | null;
  /** The user to run as; only root may ask for another one. */
  uid?: number;
};

export type RunningCell = {
  url: string;
  port: number;
  pid: number;
  process: ChildProcess;
  dataDir: string;
  /** All that the cell wrote to stdout and stderr so far. */
  output(): string;
  /** Sends a signal (default SIGKILL) and resolves with the exit code once the process is gone; data stay. */
  kill(signal?: NodeJS.Signals): Promise<number | null>;
  /** Stops the cell and its PostgreSQL, killed or not, and removes its data. */
  stop(): Promise<void>;
};

/** A cell that answers `GET /health` with 200. Rejects with what it wrote when it ends before that. */
export async function startCell(options: StartOptions): Promise<RunningCell> {
  const dataDir = options.dataDir ?? (await temporaryDataDir(options.uid));
  const child = spawnCell({ ...options, dataDir, port: options.port ?? (await freePort()) });
  const output = collect(child);
  // A test that fails before its stop() leaves the cell to this: it stops its PostgreSQL by itself.
  const stopWithTheTest = (): void => void child.kill('SIGTERM');
  process.once('exit', stopWithTheTest);
  const gone = once(child, 'exit').then(([code]) => {
    process.off('exit', stopWithTheTest);
    return code as number | null;
  });
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    return gone.finally(() => clearTimeout(timer));
  };
  const stop = async (): Promise<void> => {
    await kill('SIGTERM');
    await stopDatabase(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const port = Number(await Promise.race([listeningPort(child, output), endedEarly(gone)]));
    const url = `http://127.0.0.1:${port}`;
    await until('the cell is healthy', async () => (await fetch(`${url}/health`)).ok);
    const { rule = ruleOf(options.id, { neighbour: null }) } = options;
    if (rule !== null) await bringRule(url, rule, options.env?.['CELL_TOKEN']);
    return { url, port, pid: child.pid ?? 0, process: child, dataDir, output, kill, stop };
  } catch (error) {
    await stop();
    throw new Error(`cell ${options.id} did not start; it wrote: ${output()}`, { cause: error });
  }
}

/** Brings a rule as a router does, and answers what the cell says. Rejects when it does not take it. */
export async function bringRule(
  url: string,
  rule: Rule,
  token?: string,
): Promise<{ epoch: number; position?: string }> {
  const answer = await fetch(`${url}/.cellgate/serving`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(rule),
  });
  if (!answer.ok) throw new Error(`the rule was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as { epoch: number; position?: string };
}

/** Runs a cell that is expected to end by itself, and answers how. */
export async function runCellToEnd(
  env: Record<string, string>,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, cellArguments(), {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: code as number | null, stderr };
}

/** A temporary folder for a cell's data, of user `uid` if given. PostgreSQL, another user under root, passes through it. */
export async function temporaryDataDir(uid?: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-test-'));
  await chmod(folder, 0o711);
  if (uid !== undefined) await chown(folder, uid, uid);
  return folder;
}

function cellArguments(): string[] {
  return ['--import', './node-version.mjs', 'cell-template/main.ts'];
}

function spawnCell({
  id,
  dataDir,
  port,
  env,
  uid,
}: StartOptions & { dataDir: string; port: number }): ChildProcess {
  return spawn(process.execPath, cellArguments(), {
    cwd: ROOT,
    env: childEnv({ CELL_ID: id, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: dataDir, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

function collect(child: ChildProcess): () => string {
  let all = '';
  const add = (chunk: string): void => {
    all += chunk;
  };
  child.stdout?.setEncoding('utf8').on('data', add);
  child.stderr?.setEncoding('utf8').on('data', add);
  return () => all;
}

function listeningPort(child: ChildProcess, output: () => string): Promise<string> {
  return until('the cell listens', () => {
    if (child.exitCode !== null || child.signalCode !== null) return 'ended';
    return /"port":(\d+),"msg":"cell listening"/.exec(output())?.[1];
  });
}

async function endedEarly(gone: Promise<number | null>): Promise<never> {
  const code = await gone;
  throw new Error(`it ended with ${code}`);
}
