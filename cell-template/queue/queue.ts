// The cell's later work: a queue in each of its databases, at rest where it serves nobody of that home.
import type { Logger } from 'pino';
import type { Contract } from '../contract/contract.ts';
import type { Homes } from '../homes.ts';
import { HomeQueue } from './home-queue.ts';

export class Queue {
  readonly #contract: Contract;
  readonly #queues: ReadonlyMap<string, HomeQueue>;
  #running = false;

  constructor(parts: {
    cellId: string;
    homes: Homes;
    contract: Contract;
    logger: Logger;
    onDone(kind: string): void;
  }) {
    this.#contract = parts.contract;
    this.#queues = new Map(
      parts.homes.all().map((store) => [store.home, new HomeQueue({ ...parts, store }, parts.logger)]),
    );
    parts.contract.onRule(() => this.#follow());
  }

  /** Starts the queues of those homes of whose tenants some may be this cell's; the others as soon as a rule says so. */
  start(): void {
    this.#running = true;
    this.#follow();
  }

  /** Lets running jobs finish, for a few seconds at most; no job is lost. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all([...this.#queues.values()].map((queue) => queue.stop()));
  }

  /** A write of `home` was committed: its outbox entry may be relayed. */
  nudge(home: string): void {
    this.#queues.get(home)?.nudge();
  }

  #follow(): void {
    if (!this.#running) return;
    for (const [home, queue] of this.#queues) {
      if (this.#contract.mayServe(home)) {
        queue.start();
        // Entries of tenants that have just become its own.
        queue.nudge();
      } else void queue.stop();
    }
  }
}
