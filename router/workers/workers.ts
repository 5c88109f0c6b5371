// The data plane in several processes: started, told, heard, replaced when they end, and ended with this one.
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Registry } from 'prom-client';
import type { ControlPlane } from '../control-plane.ts';
import type { HomeCount } from '../health/load.ts';
import type { Inside } from '../health/cells/death-watch.ts';
import type { Requests } from '../request-health.ts';
import { steadyOriginMs } from '../health/cells/cell-clock.ts';
import { Arrivals } from './arrivals.ts';
import { Feed } from './feed.ts';
import { HeldByAll } from './held-by-all.ts';
import { MachineLoads } from './machine-loads.ts';
import { MachineMetrics } from './machine-metrics.ts';
import type { FromWorker, StartFailure } from './messages.ts';
import { RestartPace } from './restart-pace.ts';
import { Vigil } from './vigil.ts';
import { WorkerProcess } from './worker-process.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** After `DRAIN_TIMEOUT_MS` all is cut; a worker that is not gone soon after does not end by itself. */
const CLOSING_MS = 5_000;

/** Where a worker has got to. Only from `told` on are things told it, and waited for from it. */
type Stage = 'started' | 'told' | 'listening';

export class Workers implements Requests {
  readonly #control: ControlPlane;
  readonly #stages = new Map<WorkerProcess, Stage>();
  readonly #paces = new Map<number, RestartPace>();
  readonly #restarting = new Set<NodeJS.Timeout>();
  readonly #feed: Feed;
  readonly #held: HeldByAll;
  readonly #arrivals: Arrivals;
  readonly #vigil: Vigil<WorkerProcess>;
  readonly #loads = new MachineLoads();
  readonly #metrics: MachineMetrics;
  /** Until all listen for the first time. */
  #starting: { listens: (address: string) => void; fails: (error: Error) => void } | null = null;
  #restarts = 0;
  #ending = false;

  constructor(control: ControlPlane) {
    const { monitor, metrics, log } = control;
    this.#control = control;
    this.#held = new HeldByAll((home, epoch) => monitor.confirmHeld(home, epoch));
    monitor.onRecords((records) => this.#held.follow(records));
    monitor.whoIsInside(async (cell) => await this.#inside(cell));
    this.#feed = new Feed(control, (news) => {
      for (const worker of this.#told) worker.tell({ kind: 'news', news });
    });
    this.#arrivals = new Arrivals(monitor);
    this.#vigil = new Vigil((stuck) => {
      log.error({ worker: stuck.number, pid: stuck.pid }, 'worker does not answer, it is killed');
      stuck.kill();
    });
    this.#metrics = new MachineMetrics(metrics.registry);
    metrics.observeWorkers({
      serving: () => [...this.#stages.values()].filter((stage) => stage === 'listening').length,
      restarts: () => this.#restarts,
      silent: () => this.#metrics.silent,
    });
    // Each gets as many connections as any other: they have equal parts of all limits.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    cluster.setupPrimary({ exec: WORKER, serialization: 'advanced' });
  }

  async listen(): Promise<string> {
    const { WORKERS } = this.#control.config;
    const listening = new Promise<string>((resolve, reject) => {
      this.#starting = { listens: resolve, fails: reject };
    });
    for (let number = 1; number <= WORKERS; number += 1) this.#start(number);
    return await listening.finally(() => (this.#starting = null));
  }

  startDraining(): void {
    this.#ending = true;
    for (const worker of this.#told) worker.tell({ kind: 'drain' });
  }

  async close(): Promise<void> {
    this.#ending = true;
    for (const timer of this.#restarting) clearTimeout(timer);
    const limitMs = this.#control.config.DRAIN_TIMEOUT_MS + CLOSING_MS;
    const all = [...this.#stages];
    await Promise.all(all.map(([worker, stage]) => worker.close(stage === 'started' ? 0 : limitMs)));
    this.#vigil.close();
    this.#feed.close();
    this.#arrivals.close();
  }

  counts(): HomeCount[] {
    return this.#loads.counts();
  }

  async metrics(): Promise<Registry> {
    const asked = this.#told.map((worker) => [worker.number, worker.metrics()] as const);
    return await this.#metrics.gather(new Map(asked));
  }

  get #told(): WorkerProcess[] {
    return [...this.#stages].flatMap(([worker, stage]) => (stage === 'started' ? [] : [worker]));
  }

  #start(number: number): void {
    const worker = new WorkerProcess(number, (from, message) => this.#hear(from, message));
    this.#stages.set(worker, 'started');
    this.#vigil.watch(worker);
    void worker.ended.then((how) => this.#ended(worker, how));
  }

  #hear(worker: WorkerProcess, message: FromWorker): void {
    if (message.kind === 'hello') this.#begin(worker);
    else if (message.kind === 'listening') this.#listens(worker, message.address);
    else if (message.kind === 'failed') this.#fails(worker, message.failure);
    else if (message.kind === 'seen') this.#arrivals.take(message.seen);
    else if (message.kind === 'held') this.#held.held(worker.number, message.home, message.epoch);
    else if (message.kind === 'counts') this.#loads.told(worker.number, message.counts);
    else if (message.kind === 'pong') this.#vigil.answered(worker);
    else if (message.kind === 'deliver') {
      void this.#deliver(worker, message);
    }
  }

  async #deliver(
    worker: WorkerProcess,
    { id, home, cell }: Extract<FromWorker, { kind: 'deliver' }>,
  ): Promise<void> {
    await this.#control.monitor.deliverRule(home, cell).catch(() => undefined);
    worker.tell({ kind: 'delivered', id });
  }

  /** From here on it is told of all changes, in order, and a handover waits for it. */
  #begin(worker: WorkerProcess): void {
    const news = this.#feed.whole();
    this.#stages.set(worker, 'told');
    this.#held.joined(worker.number);
    worker.tell({ kind: 'begin', worker: worker.number, steadyOriginMs: steadyOriginMs(), news });
  }

  #listens(worker: WorkerProcess, address: string): void {
    this.#stages.set(worker, 'listening');
    if (this.#ending) worker.tell({ kind: 'drain' });
    const stages = [...this.#stages.values()];
    if (this.#starting !== null && stages.every((stage) => stage === 'listening'))
      this.#starting.listens(address);
    if (this.#starting === null) this.#control.log.info({ worker: worker.number }, 'worker listening');
  }

  #fails(worker: WorkerProcess, { code, port, message }: StartFailure): void {
    if (this.#starting === null) {
      this.#control.log.error({ worker: worker.number, code, port }, 'worker can not listen');
      worker.kill();
    } else this.#starting.fails(Object.assign(new Error(message), { code, port }));
  }

  #ended(worker: WorkerProcess, how: number | string): void {
    const { number, startedAtMs } = worker;
    this.#stages.delete(worker);
    this.#vigil.forget(worker);
    this.#held.left(number);
    this.#loads.left(number);
    this.#metrics.left(number);
    if (this.#starting !== null) this.#starting.fails(new Error(`a worker ended at its start (${how})`));
    if (this.#ending || this.#starting !== null) return;
    const pace = this.#paces.get(number) ?? new RestartPace();
    this.#paces.set(number, pace);
    const waitMs = pace.ended(performance.now() - startedAtMs);
    this.#restarts += 1;
    this.#control.log.error({ worker: number, how, waitMs }, 'worker ended, another one takes its place');
    const timer = setTimeout(() => {
      this.#restarting.delete(timer);
      this.#start(number);
    }, waitMs);
    this.#restarting.add(timer);
  }

  /** Of all workers; null where one does not say. */
  async #inside(cell: string): Promise<Inside> {
    const told = await Promise.all(this.#told.map((worker) => worker.inside(cell)));
    return told.includes(null) ? null : told.flatMap((inside) => inside ?? []);
  }
}
