// Starting one contender: on its core, its log in a file, and not before it answers.
import { readFileSync } from 'node:fs';
import { startChild, type Child } from '../../rig/child.ts';
import { until } from '../../rig/until.ts';
import { dial } from '../speed-exchange.ts';
import { pinned, type Machine } from '../speed-machine.ts';
import { requestBytes, tenantOf, WORKLOADS } from '../speed-workloads.ts';
import type { Cell } from './cells.ts';

/** What every contender is started with. */
export type Setup = {
  machine: Machine;
  /** For its files. The bench removes it. */
  folder: string;
  /** What it stands before. */
  cells: readonly Cell[];
};

/** A server under load, on loopback. */
export type Target = {
  id: string;
  label: string;
  pid: number;
  port: number;
  /** The PEM that has signed its certificate; null: plain HTTP. */
  ca: string | null;
  /** Where it writes a line for every request; null: it writes none. */
  logFile: string | null;
};

export type Launch = {
  id: string;
  label: string;
  port: number;
  command: string;
  args: readonly string[];
  env?: Record<string, string>;
  ca?: string;
  /** Whether it writes a line for every request to stdout. */
  logs?: boolean;
};

export type Running = Target & { child: Child };

const START_LIMIT_MS = 60_000;

/** Starts it and waits for its first good answer. Throws with what it said on stderr when it ends instead. */
export async function launch({ machine, folder }: Setup, one: Launch): Promise<Running> {
  const { id, label, port, command, args, env = {}, ca = null, logs = false } = one;
  const stdout = `${folder}/${id}.out`;
  // Its stdout goes straight into a file: read by us, its log would be our work.
  const redirected = ['-c', 'exec "$@" >>"$0"', stdout];
  const child = startChild(
    '/bin/sh',
    [...redirected, ...pinned(machine, machine.cores.proxy, command, args)],
    {
      env,
    },
  );
  await until(`${id} answers`, async () => await answers(child, port, ca), {
    limitMs: START_LIMIT_MS,
    everyMs: 50,
  }).catch((error: unknown) => {
    const said = `${child.stderr()}${readFileSync(stdout, 'utf8').slice(0, 2_000)}`;
    throw new Error(`${id} does not start: ${said}`, { cause: error });
  });
  return { id, label, pid: child.pid, port, ca, logFile: logs ? stdout : null, child };
}

async function answers(child: Child, port: number, ca: string | null): Promise<boolean> {
  // No use in waiting; what it said comes with the error.
  if (!child.running) throw new Error('it has ended');
  const connection = await dial(port, ca);
  try {
    const request = requestBytes(WORKLOADS.get, `127.0.0.1:${port}`, tenantOf(0));
    return (await connection.exchange(request)).status === 200;
  } finally {
    connection.close();
  }
}
