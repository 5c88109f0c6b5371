// The embedded PostgreSQLs of cells that could not stop their own.
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { databasePids, stopDatabase } from '../../cell-template/postgres/embedded.ts';
import { markOf, signal } from './process-mark.ts';

const QUICK_EXIT_MS = 500;
const POLL_MS = 10;

/** Stops what still runs on these data folders, cleanly; a no-op for one whose cell has stopped it. */
export async function stopDatabases(dataDirs: readonly string[]): Promise<void> {
  await Promise.all(dataDirs.map((dataDir) => stopDatabase(dataDir)));
}

/** The same for data that will be thrown away: within about half a second, without a clean shutdown. */
export async function killDatabases(dataDirs: readonly string[]): Promise<void> {
  await Promise.all(dataDirs.filter((dataDir) => existsSync(dataDir)).map(killDatabase));
}

async function killDatabase(dataDir: string): Promise<void> {
  const pids = await databasePids(dataDir);
  const [postmaster] = pids;
  if (postmaster !== undefined) {
    // SIGQUIT is PostgreSQL's own quick end: unlike SIGKILL it gives its shared memory back to the system.
    signal(postmaster, 'SIGQUIT');
    const end = performance.now() + QUICK_EXIT_MS;
    while (markOf(postmaster) !== undefined && performance.now() < end) await pause(POLL_MS);
    for (const pid of pids) signal(pid, 'SIGKILL');
  }
  // What is left to do by then: the socket, where it lies elsewhere.
  await stopDatabase(dataDir);
}
