// A real cell as a process of the run, with a PostgreSQL of its own: killed, robbed of its disk, and brought back.
import { spawn } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { databasePids, stopDatabase } from '../../cell-template/postgres/embedded.ts';
import { anyFree } from '../../infra/local/ports.ts';
import { databaseUrlOf } from '../../infra/local/pairs.ts';
import { startChild, type Child } from './child.ts';
import { until } from './until.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLOCK = './loadtest/rig/shifted-clock.ts';
const START_LIMIT_MS = 60_000;
const PROBE_LIMIT_MS = 1_000;

/** What `/health` says, as far as a run reads it. */
export type CellHealth = {
  status: string;
  epochs?: Record<string, number>;
  standbys?: Record<string, { state: string; lagBytes: number | null; lagSeconds: number | null }>;
  caughtUp?: boolean | null;
};

export class RigCell {
  readonly id: string;
  readonly origin: string;
  readonly dataDir: string;
  /** Of its own database, past every cable. */
  readonly databaseUrl: string;
  /** How often it lost its disk. */
  life = 0;
  readonly #port: number;
  readonly #log: string;
  readonly #endGuard: () => void;
  #env: Record<string, string> = {};
  #child: Child | null = null;

  private constructor(id: string, port: number, folder: string, databaseUrl: string) {
    this.id = id;
    this.#port = port;
    this.origin = `http://127.0.0.1:${port}`;
    this.dataDir = join(folder, id);
    this.databaseUrl = databaseUrl;
    this.#log = join(folder, `${id}.log`);
    this.#endGuard = endDatabaseWithUs(this.dataDir);
  }

  /** A cell whose data will be below `folder`. It does not run yet. */
  static async plan(id: string, folder: string): Promise<RigCell> {
    return new RigCell(id, await anyFree(), folder, await databaseUrlOf(join(folder, id)));
  }

  get running(): boolean {
    return this.#child?.running === true;
  }

  /** The environment of its next start, beside what every cell is told. */
  set env(env: Record<string, string>) {
    this.#env = env;
  }

  /** Starts its process; `clockAheadMs`: its wall clock is wrong, that of its PostgreSQL is not. */
  launch({ clockAheadMs = 0 }: { clockAheadMs?: number } = {}): void {
    const shifted = clockAheadMs === 0 ? [] : ['--import', CLOCK];
    this.#child = startChild(process.execPath, [...shifted, join(ROOT, 'cell-template/main.ts')], {
      env: {
        LOG_LEVEL: 'warn',
        CLOCK_AHEAD_MS: String(clockAheadMs),
        ...this.#env,
        CELL_ID: this.id,
        HOST: '127.0.0.1',
        PORT: String(this.#port),
        DATA_DIR: this.dataDir,
      },
      onLine: (line) => appendFileSync(this.#log, `${line}\n`),
    });
  }

  /** Starts it and waits until it says that it is well. */
  async start(options: { clockAheadMs?: number } = {}): Promise<void> {
    this.launch(options);
    await until(
      `${this.id} is well`,
      async () => {
        if (!this.running) throw new Error(this.#child?.stderr());
        return (await this.health())?.status === 'ok';
      },
      { limitMs: START_LIMIT_MS, everyMs: 50 },
    );
  }

  /** Waits until its PostgreSQL runs, whoever started it. */
  async untilDatabase(): Promise<void> {
    await until(
      `the PostgreSQL of ${this.id} runs`,
      async () => (await databasePids(this.dataDir)).length > 1,
      { limitMs: START_LIMIT_MS, everyMs: 20 },
    );
  }

  /** Null: it does not answer. */
  async health(): Promise<CellHealth | null> {
    try {
      const answer = await request(`${this.origin}/health`, {
        headersTimeout: PROBE_LIMIT_MS,
        bodyTimeout: PROBE_LIMIT_MS,
      });
      return (await answer.body.json()) as CellHealth;
    } catch {
      return null;
    }
  }

  /** `kill -9` of its process; its PostgreSQL goes on. */
  async kill(): Promise<void> {
    await this.#child?.stop(0);
  }

  /** `kill -9` of its PostgreSQL, all processes of it. */
  async killDatabase(): Promise<void> {
    for (const pid of await databasePids(this.dataDir)) killIfThere(pid);
    await until(
      `the PostgreSQL of ${this.id} is gone`,
      async () => (await databasePids(this.dataDir)).length === 0,
    );
  }

  /** `kill -9` of both, the process first: it would start its PostgreSQL again. */
  async killBoth(): Promise<void> {
    await this.kill();
    await this.killDatabase();
  }

  /** After `killBoth`: nothing is left of its data. */
  loseDisk(): void {
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
    this.life += 1;
  }

  /** A graceful stop; its data stay. */
  async stop(): Promise<void> {
    await this.#child?.stop(8_000);
    await stopDatabase(this.dataDir);
  }

  async close(): Promise<void> {
    await this.kill();
    await stopDatabase(this.dataDir);
    this.#endGuard();
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A cell that is killed leaves its PostgreSQL behind, and so would a run: this shell waits for our end, however it comes. */
function endDatabaseWithUs(dataDir: string): () => void {
  const pidFile = join(dataDir, 'postgres/postmaster.pid');
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -QUIT "$(head -n 1 "$1")"', 'sh', pidFile], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return () => void guard.kill('SIGKILL');
}
