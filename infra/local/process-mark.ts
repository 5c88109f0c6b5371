// Which process is which: a pid alone may belong to another process by now, a pid with its start time does not.
import { readFileSync } from 'node:fs';

/** `start` is the boot's identity and the start time in clock ticks since that boot. */
export type ProcessMark = { pid: number; start: string };

/** The mark of a live process; `undefined` when there is none, or only its zombie. Linux: reads /proc. */
export function markOf(pid: number): ProcessMark | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc_pid_stat(5): the second field is a name in brackets that may hold anything, so count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined || 'ZX'.includes(state)) return undefined;
    return { pid, start: `${boot} ${ticks}` };
  } catch {
    return undefined;
  }
}

/** True while the very process that was marked lives. */
export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.start === mark.start;
}

/** Signals a process, or with `group` its whole process group. One that is gone is no error. */
export function signal(pid: number, name: NodeJS.Signals, { group = false } = {}): void {
  try {
    process.kill(group ? -pid : pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
