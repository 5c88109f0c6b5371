// Requests that wait for a verdict: bounded in number and time, oldest first, forgotten when their client leaves.

/** What waits. `place` is tried when something has changed; false: there is still no room, it goes on waiting. */
export type Waiting = {
  /** When it first began to wait, in `performance.now()` milliseconds: waiting twice counts once. */
  heldSinceMs: number | null;
  place(): boolean;
  giveUp(): void;
};

export type HoldLimits = {
  /** `HOLD_MS`: how long a request waits in all. */
  holdMs: number;
  /** `HOLD_MAX`: how many wait in all. One cell's requests take half of them at most: a second cell may die, too. */
  holdMax: number;
};

/** A hold that ended without a verdict: for this long nothing waits for that cell. */
export const NO_HOLD_MS = 10_000;

type Queue = { waiting: Map<Waiting, NodeJS.Timeout>; closedUntilMs: number };

export class Holds {
  readonly #limits: HoldLimits;
  readonly #queues = new Map<string, Queue>();
  #count = 0;

  constructor(limits: HoldLimits) {
    this.#limits = limits;
  }

  /** Lets a request wait for `cell`. False: it may not, because there is no room or no more patience. */
  hold(cell: string, waiting: Waiting): boolean {
    const nowMs = performance.now();
    const queue = this.#queueOf(cell);
    const { holdMs, holdMax } = this.#limits;
    waiting.heldSinceMs ??= nowMs;
    const leftMs = waiting.heldSinceMs + holdMs - nowMs;
    if (leftMs <= 0 || nowMs < queue.closedUntilMs) return false;
    if (this.#count >= holdMax || queue.waiting.size >= Math.max(1, Math.floor(holdMax / 2))) return false;
    queue.waiting.set(
      waiting,
      setTimeout(() => this.#expire(cell), leftMs),
    );
    this.#count += 1;
    return true;
  }

  /** Something changed for the requests that wait for `cell`: each is tried, oldest first, until one has no room. */
  wake(cell: string): void {
    const queue = this.#queues.get(cell);
    if (queue === undefined) return;
    // A copy: a request that is placed may come back to wait within the same call, and must not be tried again in it.
    for (const waiting of Array.from(queue.waiting.keys())) {
      const timer = queue.waiting.get(waiting);
      if (timer === undefined) continue;
      this.#forget(queue, waiting);
      if (waiting.place()) continue;
      if (!this.hold(cell, waiting)) waiting.giveUp();
    }
  }

  /** The request's client has left, or it was answered otherwise. */
  release(cell: string, waiting: Waiting): void {
    const queue = this.#queues.get(cell);
    if (queue !== undefined) this.#forget(queue, waiting);
  }

  /** How many requests wait for each cell now. */
  *waiting(): Generator<{ cell: string; count: number }> {
    for (const [cell, { waiting }] of this.#queues) yield { cell, count: waiting.size };
  }

  /** The oldest has waited long enough and no verdict came: none comes soon, and the others need not wait for it. */
  #expire(cell: string): void {
    const queue = this.#queueOf(cell);
    queue.closedUntilMs = performance.now() + NO_HOLD_MS;
    for (const waiting of Array.from(queue.waiting.keys())) {
      this.#forget(queue, waiting);
      waiting.giveUp();
    }
  }

  #forget(queue: Queue, waiting: Waiting): void {
    clearTimeout(queue.waiting.get(waiting));
    if (queue.waiting.delete(waiting)) this.#count -= 1;
  }

  #queueOf(cell: string): Queue {
    const known = this.#queues.get(cell);
    if (known !== undefined) return known;
    const queue: Queue = { waiting: new Map(), closedUntilMs: Number.NEGATIVE_INFINITY };
    this.#queues.set(cell, queue);
    return queue;
  }
}
