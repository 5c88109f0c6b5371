// How soon an ended worker is replaced: at once, and ever later where its successors keep ending. Pure.

/** One that served for so long had no fault from its start. */
const SOUND_MS = 10_000;
const FIRST_MS = 100;
const LONGEST_MS = 5_000;

export class RestartPace {
  #waitMs = 0;

  /** A worker ended `livedMs` after its start. Answers for how many milliseconds to wait. */
  ended(livedMs: number): number {
    const waitMs = livedMs >= SOUND_MS ? 0 : this.#waitMs;
    this.#waitMs = waitMs === 0 ? FIRST_MS : Math.min(LONGEST_MS, waitMs * 2);
    return waitMs;
  }
}
