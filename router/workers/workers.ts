// The data plane in several processes: told what the monitor knows, and heard, so that the machine looks like one router.
import type { Registry } from 'prom-client';
import type { ControlPlane } from '../control-plane.ts';
import { steadyOriginMs } from '../health/cells/cell-clock.ts';
import type { Inside } from '../health/cells/death-watch.ts';
import type { HomeCount } from '../health/load.ts';
import type { Monitor } from '../health/monitor.ts';
import type { Requests } from '../request-health.ts';
import { Arrivals } from './arrivals.ts';
import { Crew } from './crew.ts';
import { Feed } from './feed.ts';
import { HeldByAll } from './held-by-all.ts';
import { MachineLoads } from './machine-loads.ts';
import { MachineMetrics } from './machine-metrics.ts';
import type { FromWorker } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

type Delivery = Extract<FromWorker, { kind: 'deliver' }>;

export class Workers implements Requests {
  readonly #monitor: Monitor;
  readonly #crew: Crew;
  readonly #feed: Feed;
  readonly #held: HeldByAll;
  readonly #arrivals: Arrivals;
  readonly #loads = new MachineLoads();
  readonly #metrics: MachineMetrics;

  constructor(control: ControlPlane) {
    const { config, monitor, metrics, log } = control;
    this.#monitor = monitor;
    this.#crew = new Crew(config, log, {
      came: (worker) => this.#came(worker),
      heard: (worker, message) => this.#heard(worker, message),
      left: ({ number }) => this.#left(number),
    });
    this.#held = new HeldByAll((home, epoch) => monitor.confirmHeld(home, epoch));
    monitor.onRecords((records) => this.#held.follow(records));
    monitor.whoIsInside(async (cell) => await this.#inside(cell));
    this.#feed = new Feed(control, (news) => {
      for (const worker of this.#crew.told) worker.tell({ kind: 'news', news });
    });
    this.#arrivals = new Arrivals(monitor);
    this.#metrics = new MachineMetrics(metrics.registry);
    metrics.observeWorkers({
      serving: () => this.#crew.listening,
      restarts: () => this.#crew.restarts,
      silent: () => this.#metrics.silent,
    });
  }

  async listen(): Promise<string> {
    return await this.#crew.start();
  }

  startDraining(): void {
    this.#crew.startDraining();
  }

  async close(): Promise<void> {
    await this.#crew.close();
    this.#feed.close();
    this.#arrivals.close();
  }

  counts(): HomeCount[] {
    return this.#loads.counts();
  }

  async metrics(): Promise<Registry> {
    const asked = this.#crew.told.map((worker) => [worker.number, worker.metrics()] as const);
    return await this.#metrics.gather(new Map(asked));
  }

  /** From here on it is told of all changes, in order, and a handover waits for it. */
  #came(worker: WorkerProcess): void {
    const news = this.#feed.whole();
    this.#held.joined(worker.number);
    worker.tell({ kind: 'begin', worker: worker.number, steadyOriginMs: steadyOriginMs(), news });
  }

  #heard(worker: WorkerProcess, message: FromWorker): void {
    if (message.kind === 'seen') this.#arrivals.take(message.seen);
    else if (message.kind === 'held') this.#held.held(worker.number, message.home, message.epoch);
    else if (message.kind === 'counts') this.#loads.told(worker.number, message.counts);
    else if (message.kind === 'deliver') void this.#deliver(worker, message);
  }

  #left(number: number): void {
    this.#held.left(number);
    this.#loads.left(number);
    this.#metrics.left(number);
  }

  async #deliver(worker: WorkerProcess, { id, home, cell }: Delivery): Promise<void> {
    await this.#monitor.deliverRule(home, cell).catch(() => undefined);
    worker.tell({ kind: 'delivered', id });
  }

  /** Of all workers; null where one does not say. */
  async #inside(cell: string): Promise<Inside> {
    const told = await Promise.all(this.#crew.told.map(async (worker) => await worker.inside(cell)));
    return told.includes(null) ? null : told.flatMap((inside) => inside ?? []);
  }
}
