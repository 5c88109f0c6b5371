// Whether this process was asleep: stopped by a signal, or with its whole machine.

const PULSE_MS = 100;
/** A longer pause than this between two pulses is a sleep: longer than any verdict may have taken meanwhile. */
const ASLEEP_MS = 500;

export type PulseOptions = {
  asleepMs?: number | undefined;
  /** Milliseconds. The wall clock beside the steady one: that stands still, on Linux, while the machine is suspended. */
  clocks?: readonly (() => number)[] | undefined;
};

export class Pulse {
  readonly #onSleep: () => void;
  readonly #asleepMs: number;
  readonly #clocks: readonly (() => number)[];
  readonly #timer: NodeJS.Timeout;
  #last: number[];

  /** `onSleep`: told once after each sleep, before anything else that `beat` precedes. */
  constructor(
    onSleep: () => void,
    { asleepMs = ASLEEP_MS, clocks = [() => performance.now(), () => Date.now()] }: PulseOptions = {},
  ) {
    this.#onSleep = onSleep;
    this.#asleepMs = asleepMs;
    this.#clocks = clocks;
    this.#last = clocks.map((now) => now());
    this.#timer = setInterval(() => this.beat(), PULSE_MS).unref();
  }

  /** To be called before a request is looked at: on waking, requests come before the timer does. */
  beat(): void {
    const last = this.#last;
    this.#last = this.#clocks.map((now) => now());
    // A wall clock that is set forward looks the same: rules are asked for once too often.
    if (this.#last.some((nowMs, i) => nowMs - (last[i] ?? nowMs) > this.#asleepMs)) this.#onSleep();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
