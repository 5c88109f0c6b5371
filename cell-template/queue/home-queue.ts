// The relay and the worker on one database, from start to stop: replaced, with growing pauses, whenever that database went away.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openPool } from '../pool.ts';
import { runJob, TASK, type JobParts } from './job.ts';
import { startRelay, type Relay } from './relay.ts';
import { startRunner } from './runner.ts';

/** One listens, one fetches and completes jobs, one relays. The work itself uses the connections of the cell's requests. */
const MAX_CONNECTIONS = 3;
/**
 * No commit of the queue's own waits for the disk. What a crash takes back (a move into the queue, a job begun or finished)
 * happens again, and the effect rows are written by the cell's other connections.
 */
const FORGETFUL = '-c synchronous_commit=off';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** For jobs that run when it stops; what is not done by then runs again at the next start. */
const STOP_LIMIT_MS = 3_000;
/** A connection on which a frozen database is asked something is not waited for. */
const CLOSE_LIMIT_MS = 300;
/** For all of a stop, also while it starts on a frozen database. */
const WHOLE_STOP_LIMIT_MS = STOP_LIMIT_MS + 500;

export class HomeQueue {
  readonly #parts: JobParts;
  readonly #logger: Logger;
  #stop: AbortController | null = null;
  #relay: Relay | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(parts: JobParts, logger: Logger) {
    this.#parts = parts;
    this.#logger = logger.child({ queue: parts.store.home });
  }

  /** Starts in the background; a database that is away is waited for. */
  start(): void {
    if (this.#stop !== null) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#ended = this.#ended.then(() => this.#live(stop.signal));
  }

  /** Resolves when nothing runs any more and its connections are closed; after 3.5 s they are given up. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    this.#stop = null;
    await within(WHOLE_STOP_LIMIT_MS, this.#ended);
  }

  /** There may be new outbox entries. */
  nudge(): void {
    this.#relay?.nudge();
  }

  async #live(stop: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stop.aborted) {
      try {
        await this.#liveOnce(stop, () => {
          failures = 0;
        });
      } catch (error) {
        this.#logger.debug({ err: error }, 'the queue does not start');
      }
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
      failures += 1;
      if (!stop.aborted) await pause(pauseMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  async #liveOnce(stop: AbortSignal, onStarted: () => void): Promise<void> {
    const { store, contract } = this.#parts;
    // A pool for each life: what hangs on an old connection must not keep the next one waiting.
    const pool = openPool(store.url, (error) => this.#logger.debug({ err: error }, 'connection lost'), {
      max: MAX_CONNECTIONS,
      application_name: 'cell queue',
      options: FORGETFUL,
      connectionTimeoutMillis: 2_000,
      statement_timeout: 10_000,
      query_timeout: 11_000,
      keepAlive: true,
    });
    try {
      const { runner, over } = await startRunner(pool, TASK, (job) => this.#work(job), this.#logger);
      onStarted();
      const relay = startRelay(pool, (tenant) => contract.isOwn(store.home, tenant), this.#logger);
      this.#relay = relay;
      await Promise.race([over, aborted(stop)]);
      if (!stop.aborted) this.#logger.warn('the queue lost its database, and starts again');
      this.#relay = null;
      await within(STOP_LIMIT_MS, Promise.allSettled([relay.stop(), runner.stop()]));
    } finally {
      await within(CLOSE_LIMIT_MS, pool.end());
    }
  }

  async #work(job: unknown): Promise<void> {
    await runJob(job, this.#parts);
    // A confirmed order has written an entry of its own.
    this.nudge();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}

/** Waits for `work` to end, well or not, for `limitMs` at most. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([
    work.catch(() => undefined),
    pause(limitMs, undefined, { signal: limit.signal }).catch(() => undefined),
  ]);
  limit.abort();
}
