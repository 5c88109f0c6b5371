// graphile-worker on one database: the settings under which it costs little and never ends the process.
import { EventEmitter, once } from 'node:events';
import { Logger as WorkerLogger, run, runMigrations, type Runner, type RunnerOptions } from 'graphile-worker';
import type { Pool } from 'pg';
import type { Logger } from 'pino';

/** Jobs at a time. They share the two connections that the listener and the relay leave of the queue's three. */
const CONCURRENCY = 4;
/** New jobs are told of by NOTIFY; this is for those that wait for their next attempt. */
const POLL_MS = 2_000;

export type Running = {
  runner: Runner;
  /** Resolves when it lost its listening connection or stopped by itself: it is to be replaced then. */
  over: Promise<unknown>;
};

/**
 * Brings the schema `graphile_worker` up to date and starts to run jobs. Jobs that an earlier worker had begun are taken
 * over: it is gone, and the queue would wait four hours for it. Were it not, a job would run twice, which its effect row bears.
 */
export async function startRunner(
  pool: Pool,
  task: string,
  work: (payload: unknown) => Promise<void>,
  log: Logger,
): Promise<Running> {
  const events = new EventEmitter();
  const options: RunnerOptions = {
    pgPool: pool,
    taskList: { [task]: (payload) => work(payload) },
    parsedCronItems: [],
    concurrency: CONCURRENCY,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    logger: loggerOf(log),
    events,
    // In batches: a completion that fails stops the runner, while alone its rejection would be nobody's and end the process.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  };
  await runMigrations(options);
  await pool.query(
    `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
     from graphile_worker.jobs where locked_by is not null having count(*) > 0`,
  );
  const lost = once(events, 'pool:listen:error');
  const runner = await run(options);
  const over = Promise.race([lost, runner.promise.catch((error: unknown) => error)]);
  return { runner, over };
}

/** Its chatter is for those who debug; a job that failed is worth a warning. */
function loggerOf(log: Logger): WorkerLogger {
  return new WorkerLogger(() => (level, message) => {
    if (level === 'error' || level === 'warning') log.warn(message);
    else log.trace(message);
  });
}
