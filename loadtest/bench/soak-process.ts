// What the kernel tells of a process: its resident memory, and what its file descriptors are. Linux alone tells it so.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const KIB = 1_024;

/** How many descriptors of each kind: `socket`, `pipe`, `anon_inode:[eventpoll]`, …; whatever has a path is a `file`. */
export type Descriptors = Record<string, number>;

/** Whether this machine tells it. */
export const CAN_LOOK = process.platform === 'linux';

/** Resident memory in MB (10^6 bytes). Throws when the process is gone. */
export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  return (kib * KIB) / 1e6;
}

export function descriptorsOf(pid: number): Descriptors {
  const kinds: Descriptors = {};
  for (const entry of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(`/proc/${pid}/fd/${entry}`);
    if (kind !== null) kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

/** Null: it was closed meanwhile. */
function kindOf(link: string): string | null {
  try {
    const target = readlinkSync(link);
    return target.startsWith('/') ? 'file' : target.replace(/:\[\d+\]$/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export function countOf(descriptors: Descriptors): number {
  return Object.values(descriptors).reduce((sum, count) => sum + count, 0);
}
