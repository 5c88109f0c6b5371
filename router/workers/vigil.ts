// Finds workers that answer no more: one that is stuck holds up handovers, and the clients that it was given.

const PING_MS = 2_500;
/** So many pings in a row without an answer: some ten seconds. Counted, because the primary itself may have slept. */
const UNANSWERED_MAX = 4;

export type Watched = { tell(message: { kind: 'ping' }): void };

export class Vigil<W extends Watched> {
  readonly #unanswered = new Map<W, number>();
  readonly #stuck: (worker: W) => void;
  readonly #timer: NodeJS.Timeout;

  /** `stuck` is called with a worker that has not answered for long. */
  constructor(stuck: (worker: W) => void, pingMs: number = PING_MS) {
    this.#stuck = stuck;
    this.#timer = setInterval(() => this.#ping(), pingMs);
  }

  watch(worker: W): void {
    this.#unanswered.set(worker, 0);
  }

  forget(worker: W): void {
    this.#unanswered.delete(worker);
  }

  answered(worker: W): void {
    if (this.#unanswered.has(worker)) this.#unanswered.set(worker, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #ping(): void {
    for (const [worker, unanswered] of this.#unanswered) {
      if (unanswered >= UNANSWERED_MAX) this.#stuck(worker);
      this.#unanswered.set(worker, unanswered + 1);
      worker.tell({ kind: 'ping' });
    }
  }
}
