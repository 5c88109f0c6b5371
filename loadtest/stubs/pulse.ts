// Whether this process was asleep: stopped by a signal, or with its whole machine.

const PULSE_MS = 100;
/** A longer pause than this between two pulses is a sleep: longer than any verdict may have taken meanwhile. */
const ASLEEP_MS = 500;

export class Pulse {
  readonly #onSleep: () => void;
  #lastMs = performance.now();

  /** `onSleep`: told once after each sleep, before anything else that `beat` precedes. */
  constructor(onSleep: () => void) {
    this.#onSleep = onSleep;
    setInterval(() => this.beat(), PULSE_MS).unref();
  }

  /** To be called before a request is looked at: on waking, requests come before the timer does. */
  beat(): void {
    const nowMs = performance.now();
    const sleptMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (sleptMs > ASLEEP_MS) this.#onSleep();
  }
}
