// Who the embedded PostgreSQL runs as: it refuses to be root.
import { lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `nobody` on every Linux; a bare number, for a container without /etc/passwd. */
const NOBODY = 65_534;

/** The user PostgreSQL runs as; `switchTo` is what `spawn` needs for it, empty when that is the cell's own user. */
export type Account = { uid: number; switchTo: { uid?: number; gid?: number } };

/** The cell's own user or, when that is root, the owner of the data in `pgData`, or else `nobody`. */
export async function accountFor(pgData: string): Promise<Account> {
  const own = process.getuid?.() ?? NOBODY;
  if (own !== 0) return { uid: own, switchTo: {} };
  const owner = await stat(pgData).catch(() => null);
  const { uid, gid } = owner === null || owner.uid === 0 ? { uid: NOBODY, gid: NOBODY } : owner;
  return { uid, switchTo: { uid, gid } };
}

/** The topmost folder on the way to `path`, itself included, that `account` may not enter; null: it may enter all. */
export async function closedFolder(path: string, account: Account): Promise<string | null> {
  const parent = dirname(path);
  const above = parent === path ? null : await closedFolder(parent, account);
  if (above !== null) return above;
  const { mode, uid } = await stat(path);
  return (mode & (uid === account.uid ? 0o100 : 0o001)) === 0 ? path : null;
}

/** Whether `path` is a real folder of user `uid` in which nobody else may write. */
export async function isPrivateTo(uid: number, path: string): Promise<boolean> {
  const found = await lstat(path);
  return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0;
}
