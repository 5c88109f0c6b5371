// What the tenants of each home ask of this machine: the sums of what its workers counted. Pure.
import type { HomeCount } from '../health/load.ts';

export class MachineLoads {
  readonly #byWorker = new Map<number, readonly HomeCount[]>();
  /** Home → requests that were counted by workers which have ended: a count only ever grows. */
  readonly #before = new Map<string, number>();

  /** What the worker has counted so far, of every home. */
  told(worker: number, counts: readonly HomeCount[]): void {
    this.#byWorker.set(worker, counts);
  }

  left(worker: number): void {
    for (const { home, requests } of this.#byWorker.get(worker) ?? [])
      this.#before.set(home, (this.#before.get(home) ?? 0) + requests);
    this.#byWorker.delete(worker);
  }

  counts(): HomeCount[] {
    const sums = new Map<string, HomeCount>();
    const add = ({ home, requests, concurrency, tunnels }: HomeCount): void => {
      const sum = sums.get(home) ?? { home, requests: 0, concurrency: 0, tunnels: 0 };
      sum.requests += requests;
      sum.concurrency += concurrency;
      sum.tunnels += tunnels;
      sums.set(home, sum);
    };
    for (const [home, requests] of this.#before) add({ home, requests, concurrency: 0, tunnels: 0 });
    for (const counts of this.#byWorker.values()) for (const count of counts) add(count);
    return [...sums.values()];
  }
}
