// What the kernel tells of processes and cores (proc(5)): CPU time, memory, and who else was busy.
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

export type ProcessTimes = {
  parent: number;
  /** CPU time of the process, user and system, all of its threads. */
  ownMs: number;
  /** Of its children that have ended and were waited for. */
  endedMs: number;
};

/** Busy time since boot: of the machine under `cpu`, of each core under `cpu0`, `cpu1`, … */
export type Busy = ReadonlyMap<string, number>;

/** A moment, as seen by all clocks that a measurement needs. */
export type Moment = {
  atMs: number;
  busy: Busy;
  /** CPU time of this process and everything that it has started, directly or not. */
  oursMs: number;
};

/** `/proc/PID/stat`; the name in it may hold spaces and brackets. Throws when it is something else. */
export function parseProcessStat(text: string): ProcessTimes {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((at) => Number(fields[at]));
  const times = {
    parent: parent ?? Number.NaN,
    ownMs: ((user ?? Number.NaN) + (system ?? Number.NaN)) * TICK_MS,
    endedMs: ((endedUser ?? Number.NaN) + (endedSystem ?? Number.NaN)) * TICK_MS,
  };
  if (Object.values(times).some(Number.isNaN)) throw new Error('/proc/PID/stat is not what proc(5) says');
  return times;
}

/** `/proc/stat`. Time that the hypervisor took counts as busy: it was not ours. Guests are in `user` already. */
export function parseBusy(text: string): Busy {
  const lines = text.split('\n').filter((line) => /^cpu\d* /.test(line));
  return new Map(
    lines.map((line) => {
      const [name = '', ...ticks] = line.split(/ +/);
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks.map(Number);
      return [name, (user + nice + system + irq + softirq + steal) * TICK_MS];
    }),
  );
}

/** Resident memory in MB (10⁶ bytes), of the text of `/proc/PID/status`. NaN when it does not say. */
export function parseRssMb(text: string): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(text) ?? [];
  return (Number(kib ?? Number.NaN) * 1_024) / 1e6;
}

/** Milliseconds of CPU that a process has used so far, without its children. */
export function cpuMsOf(pid: number): number {
  return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).ownMs;
}

export function rssMbOf(pid: number): number {
  return parseRssMb(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** Now. */
export function readMoment(): Moment {
  return {
    atMs: performance.now(),
    busy: parseBusy(readFileSync('/proc/stat', 'utf8')),
    oursMs: oursMs(timesOfAll(), process.pid),
  };
}

/** CPU time of `root` and of everything below it, ended children included. Pure. */
export function oursMs(all: ReadonlyMap<number, ProcessTimes>, root: number): number {
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  let sum = 0;
  for (const [pid, { ownMs, endedMs }] of all) if (isOurs(pid)) sum += ownMs + endedMs;
  return sum;
}

/** How much of the machine (0–1) others took between two moments. Pure. */
export function othersPart(from: Moment, to: Moment): number {
  const cores = Math.max(1, to.busy.size - 1);
  const busyMs = (to.busy.get('cpu') ?? 0) - (from.busy.get('cpu') ?? 0);
  const othersMs = busyMs - (to.oursMs - from.oursMs);
  return Math.max(0, othersMs / ((to.atMs - from.atMs) * cores));
}

/** How much of one core (0–1), by its number, was busy between two moments. Pure. */
export function corePart(from: Moment, to: Moment, core: number): number {
  const name = `cpu${core}`;
  const busyMs = (to.busy.get(name) ?? Number.NaN) - (from.busy.get(name) ?? Number.NaN);
  return Math.min(1, busyMs / (to.atMs - from.atMs));
}

function timesOfAll(): Map<number, ProcessTimes> {
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      all.set(Number(name), parseProcessStat(readFileSync(`/proc/${name}/stat`, 'utf8')));
    } catch (error) {
      // It ended in between.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return all;
}
