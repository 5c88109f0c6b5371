// What a load generator is to a measurement, whichever it is: wrk, autocannon, h2load or a client of this project.
import { startChild } from '../rig/child.ts';
import { until } from '../rig/until.ts';
import type { Target } from './contenders/launch.ts';
import { pinned, type Machine } from './speed-machine.ts';
import type { Tenants, Workload } from './speed-workloads.ts';

export type Load = {
  machine: Machine;
  target: Target;
  workload: Workload;
  tenants: Tenants;
  windowMs: number;
};

/** What the load generator says it has done. */
export type Loaded = {
  requests: number;
  /** From its first to its last request. */
  durationMs: number;
  p50Ms: number;
  p99Ms: number;
  /** All that it read, heads included; null: it looked at every answer by itself, or does not say. */
  bytes: number | null;
  /** Of the answers' bodies alone; null: it does not say. */
  bodyBytes: number | null;
  /** So many bodies it compared with what they must be. */
  compared: number;
  /** Of the connections that were new, so many went on with an earlier TLS session; null: not counted. */
  resumed: number | null;
  /** By how much a load of a fixed rate was late itself, of 99 % of its requests; null: it has no rate. */
  lateP99Ms: number | null;
  /** Answers other than wanted, none at all, and broken connections. */
  failed: number;
};

/** `began` is called once the load runs in full, `ends` just before it is over. */
export type Mark = { began: () => void; ends: () => void };

export type Drive = {
  /** Whether answers are to be compared beside it, because it looks at no body itself and asks for just the same. */
  sampled: boolean;
  /** Runs the load. Throws when it can not be run. */
  run: (load: Load, mark: Mark) => Promise<Loaded>;
};

/** Connections, each with one request under way. */
export const CONNECTIONS = 64;

const OUTPUT_LIMIT_MS = 30_000;
const MARKER = 'speed ';

/**
 * Runs a load generator on the load's core until it ends, and answers its lines. `onLine` is told each one; `whileRunning`
 * gets a way to end it early.
 */
export async function runTool(
  machine: Machine,
  [command, ...args]: readonly [string, ...string[]],
  onLine: (line: string) => void,
  whileRunning: (interrupt: () => void) => Promise<void>,
): Promise<string[]> {
  const lines: string[] = [];
  const [program, ...rest] = pinned(machine, machine.cores.load, command, args);
  const child = startChild(program, rest, {
    onLine: (line) => {
      lines.push(line);
      onLine(line);
    },
  });
  await Promise.race([whileRunning(() => child.signal('SIGINT')), child.exited]);
  await until('the load generator ends', () => !child.running, { limitMs: OUTPUT_LIMIT_MS });
  if (lines.length === 0) throw new Error(`${command} says nothing: ${child.stderr()}`);
  return lines;
}

/** Told by our own load generators, and by wrk through its script: `speed` and JSON on a line. Pure. */
export function parseLoaded(lines: readonly string[]): Loaded {
  const line = lines.find((one) => one.startsWith(MARKER));
  if (line === undefined) throw new Error(`no result in: ${lines.join(' | ').slice(0, 500)}`);
  const told = JSON.parse(line.slice(MARKER.length)) as Told;
  return { bytes: null, bodyBytes: null, resumed: null, lateP99Ms: null, compared: 0, ...told };
}

type Told = Pick<Loaded, 'requests' | 'durationMs' | 'p50Ms' | 'p99Ms' | 'failed'> & Partial<Loaded>;

/** The line that `parseLoaded` reads. */
export function loadedLine(loaded: Told): string {
  return `${MARKER}${JSON.stringify(loaded)}\n`;
}
