// The workers' processes: started, watched, replaced when they end, and ended with this one.
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { FromWorker, StartFailure } from './messages.ts';
import { RestartPace } from './restart-pace.ts';
import { Vigil } from './vigil.ts';
import { WorkerProcess } from './worker-process.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** After `DRAIN_TIMEOUT_MS` all is cut; a worker that is not gone soon after does not end by itself. */
const CLOSING_MS = 5_000;

/** Where a worker has got to. From `told` on it hears of all that changes, and is waited for. */
type Stage = 'started' | 'told' | 'listening';

export type CrewEvents = {
  /** It is there, and is to be told all that is known. */
  came(worker: WorkerProcess): void;
  /** What it tells of its requests. */
  heard(worker: WorkerProcess, message: FromWorker): void;
  /** It is gone. */
  left(worker: WorkerProcess): void;
};

type CrewConfig = Pick<Config, 'WORKERS' | 'DRAIN_TIMEOUT_MS'>;

export class Crew {
  readonly #config: CrewConfig;
  readonly #log: Logger;
  readonly #events: CrewEvents;
  readonly #stages = new Map<WorkerProcess, Stage>();
  readonly #paces = new Map<number, RestartPace>();
  readonly #restarting = new Set<NodeJS.Timeout>();
  readonly #vigil: Vigil<WorkerProcess>;
  /** Until all listen for the first time. */
  #starting: PromiseWithResolvers<string> | null = null;
  #restarts = 0;
  #ending = false;

  constructor(config: CrewConfig, log: Logger, events: CrewEvents) {
    this.#config = config;
    this.#log = log;
    this.#events = events;
    this.#vigil = new Vigil((stuck) => {
      log.error({ worker: stuck.number, pid: stuck.pid }, 'worker does not answer, it is killed');
      stuck.kill();
    });
    // Each gets as many connections as any other: they have equal parts of all limits.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({ exec: WORKER, serialization: 'advanced' });
  }

  /** Those that were told what is known. */
  get told(): WorkerProcess[] {
    return [...this.#stages].flatMap(([worker, stage]) => (stage === 'started' ? [] : [worker]));
  }

  /** How many listen now. */
  get listening(): number {
    return [...this.#stages.values()].filter((stage) => stage === 'listening').length;
  }

  /** How many ended by themselves. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts all, and answers their address once they listen. Rejects with the system's error of one that can not. */
  async start(): Promise<string> {
    this.#starting = Promise.withResolvers<string>();
    const { promise } = this.#starting;
    for (let number = 1; number <= this.#config.WORKERS; number += 1) this.#start(number);
    return await promise.finally(() => (this.#starting = null));
  }

  /** Every answer asks its client to go from now on, and who ends is not replaced. */
  startDraining(): void {
    this.#ending = true;
    for (const worker of this.told) worker.tell({ kind: 'drain' });
  }

  /** Resolves when all have finished what they carry, and are gone. */
  async close(): Promise<void> {
    this.#ending = true;
    for (const timer of this.#restarting) clearTimeout(timer);
    const limitMs = this.#config.DRAIN_TIMEOUT_MS + CLOSING_MS;
    const all = [...this.#stages];
    await Promise.all(all.map(([worker, stage]) => worker.close(stage === 'started' ? 0 : limitMs)));
    this.#vigil.close();
  }

  #start(number: number): void {
    const worker = new WorkerProcess(number, (from, message) => this.#hear(from, message));
    this.#stages.set(worker, 'started');
    this.#vigil.watch(worker);
    void worker.ended.then((how) => this.#ended(worker, how));
  }

  #hear(worker: WorkerProcess, message: FromWorker): void {
    // What it told as it ended may come after its end: its counts are closed by then.
    if (!this.#stages.has(worker)) return;
    if (message.kind === 'pong') this.#vigil.answered(worker);
    else if (message.kind === 'failed') this.#fails(worker, message.failure);
    else if (message.kind === 'listening') this.#listens(worker, message.address);
    else if (message.kind === 'hello') {
      this.#events.came(worker);
      this.#stages.set(worker, 'told');
      if (this.#ending) worker.tell({ kind: 'drain' });
    } else this.#events.heard(worker, message);
  }

  #listens(worker: WorkerProcess, address: string): void {
    this.#stages.set(worker, 'listening');
    if (this.#starting === null) this.#log.info({ worker: worker.number }, 'worker listening');
    else if (this.listening === this.#config.WORKERS) this.#starting.resolve(address);
  }

  #fails(worker: WorkerProcess, { code, port, message }: StartFailure): void {
    this.#starting?.reject(Object.assign(new Error(message), { code, port }));
    if (this.#starting !== null) return;
    this.#log.error({ worker: worker.number, code, port }, 'worker can not listen');
    worker.kill();
  }

  #ended(worker: WorkerProcess, how: number | string): void {
    this.#stages.delete(worker);
    this.#vigil.forget(worker);
    this.#events.left(worker);
    this.#starting?.reject(new Error(`a worker ended at its start (${how})`));
    if (this.#starting === null && !this.#ending) this.#replace(worker, how);
  }

  #replace({ number, startedAtMs }: WorkerProcess, how: number | string): void {
    const pace = this.#paces.get(number) ?? new RestartPace();
    this.#paces.set(number, pace);
    const waitMs = pace.ended(performance.now() - startedAtMs);
    this.#restarts += 1;
    this.#log.error({ worker: number, how, waitMs }, 'worker ended, another one takes its place');
    const timer = setTimeout(() => {
      this.#restarting.delete(timer);
      this.#start(number);
    }, waitMs);
    this.#restarting.add(timer);
  }
}
