// The processes of an embedded PostgreSQL: found by what they are, not by a remembered number, and stopped.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 10;
/** How long the last processes of a killed PostgreSQL may take to notice. */
const LEFTOVER_LIMIT_MS = 6_000;
/** PostgreSQL's shutdown modes, gentlest first, and how long each is given. */
const STOP_STEPS = [
  { signal: 'SIGINT', limitMs: 3_000 },
  { signal: 'SIGQUIT', limitMs: 1_000 },
  { signal: 'SIGKILL', limitMs: 1_000 },
] as const;

/**
 * The number of the PostgreSQL that runs on `pgData`, whoever started it; null when none does. Its pid file is only a
 * hint: the process of that number must call itself postgres and name this very folder.
 */
export async function findPostmaster(pgData: string): Promise<number | null> {
  const { pid } = await readPidFile(pgData);
  return pid !== null && (await isPostmaster(pid, pgData)) ? pid : null;
}

/**
 * Clears the way for a new PostgreSQL where `findPostmaster` found none: waits until no process of an earlier one
 * holds its shared memory, then removes its lock files, on the data and on the socket in `socketDir`. PostgreSQL
 * itself refuses to start while the number in them is taken, be it by a stranger or by a zombie that nobody reaps.
 * Throws when an earlier process stays.
 */
export async function clearLocks(pgData: string, socketDir: string): Promise<void> {
  const { pid, sharedMemory } = await readPidFile(pgData);
  if (pid === null) return;
  const end = performance.now() + LEFTOVER_LIMIT_MS;
  while ((await attachedTo(sharedMemory)) > 0) {
    if (performance.now() > end) throw new Error(`processes of an earlier PostgreSQL still use ${pgData}`);
    await pause(POLL_MS);
  }
  await rm(join(socketDir, '.s.PGSQL.5432.lock'), { force: true });
  await rm(join(pgData, 'postmaster.pid'), { force: true });
}

/** The postmaster of `pgData` and, after it, all processes it forked; none when it does not run. */
export async function postgresPids(pgData: string): Promise<number[]> {
  const postmaster = await findPostmaster(pgData);
  return postmaster === null ? [] : [postmaster, ...(await childrenOf(postmaster))];
}

/**
 * Stops the PostgreSQL on `pgData` and resolves when it is gone; a no-op when none runs. Fast shutdown first, then
 * harder; bounded to 5 s.
 */
export async function stopPostmaster(pgData: string): Promise<void> {
  const pids = await postgresPids(pgData);
  const [postmaster] = pids;
  if (postmaster === undefined) return;
  // A frozen process hears nothing but SIGKILL.
  for (const pid of pids) signal(pid, 'SIGCONT');
  for (const step of STOP_STEPS) {
    signal(postmaster, step.signal);
    if (await isGone(postmaster, pgData, step.limitMs)) return;
  }
}

/** Sends `name` to `pid`; false when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function isGone(pid: number, pgData: string, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (await isPostmaster(pid, pgData)) {
    if (performance.now() > end) return false;
    await pause(POLL_MS);
  }
  return true;
}

type PidFile = { pid: number | null; sharedMemory: string };

/** Line 1 of postmaster.pid is the number, line 7 the key and ID of the shared memory. */
async function readPidFile(pgData: string): Promise<PidFile> {
  const lines = (await readFile(join(pgData, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0] ?? '');
  return {
    pid: Number.isInteger(pid) && pid > 0 ? pid : null,
    sharedMemory: lines[6]?.trim().split(/\s+/)[1] ?? '',
  };
}

/** How many processes hold the System V segment `id` (proc_sysvipc(5)); 0 when there is none. */
async function attachedTo(id: string): Promise<number> {
  const table = await readFile('/proc/sysvipc/shm', 'utf8').catch(() => '');
  const row = table.split('\n').find((line) => line.trim().split(/\s+/)[1] === id);
  return Number(row?.trim().split(/\s+/)[6] ?? 0);
}

/** Every user may read a command line, while root in a container may not follow another user's /proc/N/cwd. */
async function commandLine(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').slice(0, -1);
}

async function isPostmaster(pid: number, pgData: string): Promise<boolean> {
  const [program = '', flag, folder] = await commandLine(pid);
  return program.endsWith('/postgres') && flag === '-D' && folder === pgData;
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // The name in field 2 may hold anything, spaces and brackets too; the parent is the second field after it.
  const isChild = (stat: string): boolean =>
    stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent);
  return pids.filter((_, index) => isChild(parents[index] ?? '')).map(Number);
}
