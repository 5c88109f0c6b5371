// A stub cell as a process of its own, that can be killed, frozen and started again.
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { startChild, type Child } from '../rig/child.ts';
import { until } from '../rig/until.ts';
import { readAccessLog } from './access-log.ts';
import type { Behaviour, Counters, Served, StubConfig } from './stub-options.ts';

const MAIN = fileURLToPath(new URL('./stub-cell-main.ts', import.meta.url));

export type StubProcess = {
  id: string;
  level: 0 | 1;
  port: number;
  /** `http://127.0.0.1:port`. */
  origin: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Changes how it behaves from now on. */
  behave(change: Partial<Behaviour>): Promise<void>;
  /** Counted since the process started. */
  counters(): Promise<Counters>;
  /** Whom it served, by its access log: all of its processes' lines, the oldest first. */
  served(): Served[];
  /** `SIGKILL` and `SIGTERM` resolve when it is gone and its sockets are closed. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, with the same files and the behaviour of its first start. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

export type StubProcessOptions = Partial<StubConfig> & { id: string };

/** Starts a stub cell (level 1 unless said) and waits until it listens. */
export async function startStubProcess(options: StubProcessOptions): Promise<StubProcess> {
  const config: StubConfig = {
    level: 1,
    port: 0,
    host: '127.0.0.1',
    logFile: null,
    rulesFile: typeof options.logFile === 'string' ? `${options.logFile}.rules` : null,
    token: null,
    behaviour: {},
    ...options,
  };
  let { child, port, control } = await launch(config);
  const again: StubConfig = { ...config, port };
  const ask = async (change?: Partial<Behaviour>): Promise<Counters> => {
    const method = change === undefined ? 'GET' : 'PUT';
    const body = change === undefined ? null : JSON.stringify(change);
    const answer = await request(`http://127.0.0.1:${control}`, { method, body, reset: true });
    return (await answer.body.json()) as Counters;
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.signal(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await child.exited;
  };
  return {
    id: config.id,
    level: config.level,
    port,
    origin: `http://127.0.0.1:${port}`,
    get pid() {
      return child.pid;
    },
    behave: async (change) => void (await ask(change)),
    counters: () => ask(),
    served: () => (config.logFile === null ? [] : readAccessLog(config.logFile)),
    kill,
    restart: async () => {
      await kill('SIGKILL');
      ({ child, control } = await launch(again));
    },
    stop: () => kill('SIGKILL'),
  };
}

async function launch(config: StubConfig): Promise<{ child: Child; port: number; control: number }> {
  let line = '';
  const child = startChild(process.execPath, [MAIN], {
    env: { STUB_CELL: JSON.stringify(config) },
    onLine: (text) => (line = text),
  });
  await until(`${config.id} listens`, () => line !== '' || !child.running);
  if (line === '') throw new Error(`${config.id} ended at its start: ${child.stderr()}`);
  return { child, ...(JSON.parse(line) as { port: number; control: number }) };
}
