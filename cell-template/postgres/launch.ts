// Starts the postgres program on data that are there, detached from the cell's terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { postgresEnvironment } from './initialise.ts';
import { ensureSocketDir, type Layout } from './layout.ts';
import { clearLocks } from './processes.ts';

const MAX_LOG_BYTES = 1_048_576;
const LOG_TAIL_BYTES = 600;
const CANCEL_LIMIT_MS = 2_000;

/** A postgres that was started: whether it has ended, and the end of what it wrote. */
export interface Launched {
  hasExited(): boolean;
  logTail(): Promise<string>;
  /** Ends it before it was ready, when it may not have a pid file yet by which others would find it. */
  cancel(): Promise<void>;
}

/** Starts PostgreSQL on `layout` as `account` and answers as soon as the process is there, long before it is ready. */
export async function launch(layout: Layout, binaries: string, account: Account): Promise<Launched> {
  await clearLocks(layout.pgData, layout.socketDir);
  await ensureSocketDir(layout, account);
  const before = await stat(layout.logFile).catch(() => ({ size: 0 }));
  const fresh = before.size > MAX_LOG_BYTES;
  const log = await open(layout.logFile, fresh ? 'w' : 'a', 0o600);
  try {
    const child = spawn(join(binaries, 'postgres'), postgresArguments(layout), {
      ...account.switchTo,
      cwd: '/',
      env: postgresEnvironment(),
      // A session of its own: Ctrl-C on the terminal reaches the cell, which drains first and stops it then.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn');
    child.unref();
    const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
    return {
      hasExited,
      logTail: () => tailOf(layout.logFile, fresh ? 0 : before.size),
      async cancel() {
        if (hasExited()) return;
        const exit = once(child, 'exit', { signal: AbortSignal.timeout(CANCEL_LIMIT_MS) });
        child.kill('SIGQUIT');
        await exit.catch(() => child.kill('SIGKILL'));
      },
    };
  } finally {
    await log.close();
  }
}

/** Small, and reached through its socket alone; what it acknowledges is on disk (`fsync` stays on). */
function postgresArguments({ pgData, socketDir }: Layout): string[] {
  const settings = {
    listen_addresses: '',
    // A list: quoted, a folder may hold a comma or a space.
    unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"`,
    port: '5432',
    // The pools and queues of its own database and of a standby, and what the neighbour's server connects with.
    max_connections: '100',
    shared_buffers: '16MB',
    max_wal_size: '128MB',
    // Each database here may be shipped to the other cell of a pair, and be fed by it.
    wal_level: 'logical',
    max_worker_processes: '16',
    max_logical_replication_workers: '12',
    max_sync_workers_per_subscription: '4',
    // A neighbour that is away costs this much disk at most; after that its standby is copied again.
    max_slot_wal_keep_size: '1GB',
    // A line that was cut without a word is noticed.
    wal_sender_timeout: '10s',
    wal_receiver_timeout: '10s',
    wal_retrieve_retry_interval: '1s',
    wal_receiver_status_interval: '1s',
    max_replication_slots: '32',
    max_wal_senders: '32',
    // No three worker processes for what a small database reads in its own.
    io_method: 'sync',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // Statements hold tenants' values.
    log_min_error_statement: 'panic',
  };
  // Processes are recognised by these first two.
  return ['-D', pgData, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

async function tailOf(path: string, from: number): Promise<string> {
  const log = await open(path, 'r');
  try {
    const { size } = await log.stat();
    const start = Math.max(from, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await log.close();
  }
}
