// Probes one cell again and again: jittered, one question at a time, sooner when traffic suspects something.
import type { Probe, ProbeResult } from './probe.ts';

/** However loudly traffic complains, a cell is asked at most this often. */
const SOONEST_MS = 50;
/** Each pause is the interval give or take this part, so that many routers do not ask in step. */
const JITTER = 0.1;

export class Prober {
  readonly #probe: Probe;
  readonly #intervalMs: number;
  readonly #onResult: (result: ProbeResult) => void;
  #timer: NodeJS.Timeout | null = null;
  #asking = false;
  #stopped = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(probe: Probe, intervalMs: number, onResult: (result: ProbeResult) => void) {
    this.#probe = probe;
    this.#intervalMs = intervalMs;
    this.#onResult = onResult;
    void this.#ask();
  }

  /** Something looks wrong: asks now instead of at the next turn. */
  hurry(): void {
    if (this.#asking || this.#stopped) return;
    const waitMs = Math.max(0, this.#askedAtMs + SOONEST_MS - performance.now());
    this.#schedule(waitMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#probe.close();
  }

  #schedule(waitMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), waitMs);
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    this.#askedAtMs = performance.now();
    const result = await this.#probe.ask();
    this.#asking = false;
    if (this.#stopped) return;
    this.#onResult(result);
    const spread = 1 + JITTER * (2 * Math.random() - 1);
    this.#schedule(Math.max(0, this.#intervalMs * spread - (performance.now() - this.#askedAtMs)));
  }
}
