// Where an embedded PostgreSQL keeps its things: data, log and socket, all derived from DATA_DIR.
import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath, chmod, chown, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPrivateTo, type Account } from './account.ts';

/** `sun_path` holds 108 bytes on Linux, the last one a NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
const SOCKET_NAME = '.s.PGSQL.5432';

/** `socketDir` is `pgData` itself, which only PostgreSQL's user may enter, unless that path is too long. */
export type Layout = { dataDir: string; pgData: string; logFile: string; socketDir: string };

/** The layout below `dataDir`, which must exist: its real path names the running PostgreSQL. */
export async function layoutOf(dataDir: string): Promise<Layout> {
  const real = await realpath(dataDir);
  const pgData = join(real, 'postgres');
  const fits = Buffer.byteLength(join(pgData, SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES;
  return {
    dataDir: real,
    pgData,
    logFile: join(real, 'postgres.log'),
    socketDir: fits ? pgData : shortSocketDir(pgData),
  };
}

/** Creates `dataDir` if it is missing, so that PostgreSQL's user may pass through it but not look around. */
export async function ensureDataDir(dataDir: string): Promise<void> {
  const created = await mkdir(dataDir, { recursive: true });
  if (created !== undefined) await chmod(dataDir, 0o711);
}

/** Makes the socket folder where it is not `pgData`. Throws when somebody else's folder has its name. */
export async function ensureSocketDir(
  { pgData, socketDir }: Layout,
  { uid, switchTo }: Account,
): Promise<void> {
  if (socketDir === pgData) return;
  const there = await lstat(socketDir).catch(() => null);
  if (there === null) {
    await mkdir(socketDir, { mode: 0o700 });
    if (switchTo.gid !== undefined) await chown(socketDir, uid, switchTo.gid);
  }
  if (!(await isPrivateTo(uid, socketDir)))
    throw new Error(`${socketDir} is needed for a socket, but belongs to somebody else; remove it`);
}

/** Removes the socket folder where it is not `pgData`. */
export async function removeSocketDir({ pgData, socketDir }: Layout): Promise<void> {
  if (socketDir !== pgData) await rm(socketDir, { recursive: true, force: true });
}

/** Always the same for the same data, so that whoever cleans up after a killed cell finds it. */
function shortSocketDir(pgData: string): string {
  const name = createHash('sha256').update(pgData).digest('hex').slice(0, 16);
  return join(tmpdir(), `cellgate-socket-${name}`);
}
