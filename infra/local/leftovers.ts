// What a runner that was killed with -9 could not stop: its children and their databases, which live on.
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stopDatabases } from './databases.ts';
import { isAlive, signal, type ProcessMark } from './process-mark.ts';
import { readEntries, removeEntry, type Entry } from './registry.ts';

const GRACE_MS = 2_000;
const POLL_MS = 20;

/** Stops the leftovers of every runner that is gone, and says so. Only processes that it had marked are touched. */
export async function stopLeftovers(say: (line: string) => void): Promise<void> {
  for (const entry of readEntries().stale) {
    const alive = entry.children.filter((child) => isAlive(child));
    const names = alive.map(({ name }) => name).join(', ');
    say(
      `an earlier fleet (runner ${entry.runner.pid}) was killed; ` +
        (alive.length === 0 ? 'removing what it left' : `stopping what it left: ${names}`),
    );
    await stopAll(alive);
    await stopDatabases(entry.dataDirs);
    removeFiles(entry);
  }
}

function removeFiles(entry: Entry): void {
  removeFolders(entry);
  removeEntry(entry);
}

/** Removes the fleet's folder, and that of its socket where it is another one. */
export function removeFolders({ folder, socket }: Pick<Entry, 'folder' | 'socket'>): void {
  rmSync(dirname(socket), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function stopAll(marks: readonly ProcessMark[]): Promise<void> {
  for (const { pid } of marks) signal(pid, 'SIGTERM');
  const end = performance.now() + GRACE_MS;
  while (marks.some((mark) => isAlive(mark)) && performance.now() < end) await pause(POLL_MS);
  for (const mark of marks) if (isAlive(mark)) signal(mark.pid, 'SIGKILL');
  while (marks.some((mark) => isAlive(mark))) await pause(POLL_MS);
}
