// Real Redis processes for tests: each on a free loopback port, in a folder of its own, gone when stopped.
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { redisCommand } from '../../loadtest/rig/redis.ts';
import { freePort } from './ports.ts';
import { until } from './wait.ts';

const NAMES = ['redis-server', 'valkey-server'];
const USUAL_FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin'];

export type RedisProcess = {
  url: string;
  port: number;
  /** Of the process that runs now; `restart` changes it. */
  readonly pid: number;
  /** One inline command over a connection of its own; answers the raw reply. For set-up and for damage. */
  command(line: string): Promise<string>;
  /** `SIGSTOP` freezes, `SIGCONT` thaws, `SIGKILL` and `SIGTERM` end it and wait for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends what still runs, and starts an empty one on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** The path of the `redis-server` or `valkey-server` of this machine, or null. */
export function findRedisServer(): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...USUAL_FOLDERS];
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (folder !== '' && isExecutable(path)) return path;
    }
  }
  return null;
}

/**
 * Starts a Redis and waits until it answers.
 * `args` follow the usual ones (`['--cluster-enabled', 'yes']`); `sentinelOf` starts a Sentinel instead, that
 * watches the Redis on that port under the name `main`.
 */
export async function startRedis(
  options: { args?: string[]; sentinelOf?: number } = {},
): Promise<RedisProcess> {
  const binary = findRedisServer();
  if (binary === null) throw new Error('no redis-server on this machine: run `node test/ensure-redis.ts`');
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-redis-'));
  const port = await freePort();
  const args = await argumentsOf(folder, port, options);
  let child = launch(binary, args, folder);
  const redis: RedisProcess = {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    command: (line) => redisCommand(port, line),
    async kill(signal) {
      child.kill(signal);
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended(child);
    },
    async restart() {
      await redis.kill('SIGKILL');
      child = launch(binary, args, folder);
      await answering(child, port);
    },
    async stop() {
      await redis.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await answering(child, port);
  } catch (error) {
    await redis.stop();
    throw error;
  }
  return redis;
}

async function argumentsOf(
  folder: string,
  port: number,
  options: { args?: string[]; sentinelOf?: number },
): Promise<string[]> {
  const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  if (options.sentinelOf === undefined) {
    return [...common, '--save', '', '--appendonly', 'no', ...(options.args ?? [])];
  }
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor main 127.0.0.1 ${options.sentinelOf} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return [file, '--sentinel', ...common];
}

function launch(binary: string, args: string[], cwd: string): ChildProcess {
  const child = spawn(binary, args, { cwd, stdio: 'ignore' });
  if (child.pid !== undefined) endWithUs(child, child.pid, cwd);
  return child;
}

/**
 * A killed test process runs no clean-up, and Redis would outlive it. This shell waits for the end of its input, which
 * comes when our process is gone however it went, and then ends Redis and removes its folder.
 */
function endWithUs(child: ChildProcess, pid: number, folder: string): void {
  const script = 'read _; kill -9 "$1"; rm -rf "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  child.once('exit', () => guard.kill('SIGKILL'));
}

async function answering(child: ChildProcess, port: number): Promise<void> {
  let failure: Error | null = null;
  child.once('error', (error) => (failure = error));
  await until(`Redis answers on port ${port}`, async () => {
    if (failure !== null || hasEnded(child)) return 'ended';
    return /^(\+PONG|-NOAUTH)/.test(await redisCommand(port, 'PING'));
  });
  if (failure !== null || hasEnded(child)) throw new Error('Redis ended at its start', { cause: failure });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  await new Promise<void>((resolve) => child.once('exit', () => resolve()));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
