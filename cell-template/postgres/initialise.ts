// Makes a new, empty PostgreSQL data folder: all of it or nothing.
import { execFile } from 'node:child_process';
import { access, chown, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.ts';

const run = promisify(execFile);
const LIMIT_MS = 60_000;

/** The superuser of the embedded PostgreSQL; only its own system user reaches the socket, so it has no password. */
export const DATABASE_USER = 'cell';

/**
 * Runs `initdb` for `pgData` unless that exists, beside it and then renamed: a cell killed meanwhile leaves nothing
 * half made. `signal` ends it early. Throws with what `initdb` said.
 */
export async function initialise(
  pgData: string,
  binaries: string,
  account: Account,
  signal: AbortSignal,
): Promise<void> {
  if (await exists(pgData)) return;
  await removeUnfinished(pgData);
  const building = await mkdtemp(unfinishedPrefix(pgData));
  try {
    const { gid } = account.switchTo;
    if (gid !== undefined) await chown(building, account.uid, gid);
    await run(join(binaries, 'initdb'), initdbArguments(building), {
      ...account.switchTo,
      cwd: '/',
      env: postgresEnvironment(),
      timeout: LIMIT_MS,
      signal,
    });
    await rename(building, pgData);
  } catch (cause) {
    await rm(building, { recursive: true, force: true, maxRetries: 5 });
    throw new Error(`initdb failed: ${(cause as { stderr?: string }).stderr?.trim() ?? String(cause)}`, {
      cause,
    });
  }
}

/** All that PostgreSQL's programs may see of the cell's environment: nothing. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * Without the sync at the end: it flushes a thousand files, which on a busy disk keeps the cell from starting for
 * many seconds. What PostgreSQL acknowledges later is synced; only a power cut right after the first start can undo
 * the empty data folder, and with it the orders of its first half minute.
 */
function initdbArguments(folder: string): string[] {
  return [
    `--pgdata=${folder}`,
    `--username=${DATABASE_USER}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    '--no-sync',
  ];
}

async function removeUnfinished(pgData: string): Promise<void> {
  const folder = dirname(pgData);
  const prefix = basename(unfinishedPrefix(pgData));
  for (const name of await readdir(folder))
    if (name.startsWith(prefix))
      await rm(join(folder, name), { recursive: true, force: true, maxRetries: 5 });
}

const unfinishedPrefix = (pgData: string): string => `${pgData}.unfinished-`;

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
