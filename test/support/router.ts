// The real router as a process of its own, on ports of the kernel's choosing, with a fleet file of the test's.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { childEnv } from '../../loadtest/rig/child-env.ts';
import { until } from './wait.ts';

const ROOT = new URL('../../', import.meta.url);

export type RunningRouter = {
  /** `http://127.0.0.1:port` of the public and of the admin listener. */
  url: string;
  admin: string;
  port: number;
  pid: number;
  fleetFile: string;
  /** Every line it has logged so far, parsed. */
  logs: Record<string, unknown>[];
  child: ChildProcess;
  /** Writes another fleet into its file. */
  writeFleet(fleet: unknown): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Exit code, once it has ended. */
  exited: Promise<number | null>;
  /** SIGTERM, and all that it left is removed. */
  stop(): Promise<number | null>;
};

/** Cells by name → a fleet file with one generation that has them all. */
export function fleetOf(
  cells: Record<string, { origin: string }>,
  more: Record<string, unknown> = {},
): unknown {
  return { cells, generations: [{ add: Object.keys(cells) }], ...more };
}

/**
 * Starts a router and waits until it is ready, or only until it listens. `env` beats the defaults, which are quick.
 */
export async function startRouter(
  fleet: unknown,
  env: Record<string, string> = {},
  { untilReady = true }: { untilReady?: boolean } = {},
): Promise<RunningRouter> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-router-'));
  const fleetFile = join(folder, 'fleet.yaml');
  const writeFleet = async (next: unknown): Promise<void> => {
    await writeFile(fleetFile, typeof next === 'string' ? next : stringify(next));
  };
  await writeFleet(fleet);
  const child = spawn(process.execPath, ['router/main.ts'], {
    cwd: ROOT,
    env: childEnv({ ...QUICK, FLEET_FILE: fleetFile, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const logs: Record<string, unknown>[] = [];
  let stderr = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) logs.push(JSON.parse(line) as Record<string, unknown>);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const clean = async (): Promise<void> => await rm(folder, { recursive: true, force: true });
  try {
    const listening = await until('the router listens', () => {
      if (child.exitCode !== null) throw new Error(`the router exited with ${child.exitCode}: ${stderr}`);
      return logs.find(({ msg }) => msg === 'router listening');
    });
    const url = String(listening['address']);
    const admin = String(listening['admin']);
    if (untilReady) {
      await until('the router is ready', async () => (await fetch(`${admin}/readyz`)).status === 200);
    }
    return {
      url,
      admin,
      port: Number(new URL(url).port),
      pid: child.pid ?? 0,
      fleetFile,
      logs,
      child,
      writeFleet,
      exited,
      kill: (signal) => child.kill(signal),
      stop: async () => {
        child.kill('SIGTERM');
        const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
        const code = await exited.finally(() => clearTimeout(limit));
        await clean();
        return code;
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    await clean();
    throw error;
  }
}

/** Runs a router that is expected to end by itself, and answers how. `fleet` as text, or as data. */
export async function runRouterToEnd(
  fleet: unknown,
  env: Record<string, string> = {},
): Promise<{ code: number | null; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-router-'));
  try {
    const fleetFile = join(folder, 'fleet.yaml');
    await writeFile(fleetFile, typeof fleet === 'string' ? fleet : stringify(fleet));
    const child = spawn(process.execPath, ['router/main.ts'], {
      cwd: ROOT,
      env: childEnv({ ...QUICK, FLEET_FILE: fleetFile, ...env }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    clearTimeout(limit);
    return { code: code as number | null, stderr };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Longer than any end takes in these tests: a bound against hanging. */
const STOP_LIMIT_MS = 20_000;

const QUICK = {
  HOST: '127.0.0.1',
  PORT: '0',
  ADMIN_PORT: '0',
  ROUTER_ID: 'router-1',
  PROBE_INTERVAL_MS: '100',
  MIN_DWELL_MS: '500',
  ACCESS_LOG: 'all',
};
