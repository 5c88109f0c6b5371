// How far a subscriber is behind, in bytes and in seconds, from what its publisher says at each look. Pure.

type Sample = { lsn: bigint; atMs: number };

export type Lag = { bytes: number; seconds: number };

/** Looks at twice a second: more than an hour and a half of a subscriber that stands still, then the oldest ones thin out. */
const MAX_SAMPLES = 12_000;

export class LagMeter {
  /** Looks whose position was not applied yet, oldest first; `#applied` is the newest that was. */
  #waiting: Sample[] = [];
  #appliedMs: number | null = null;

  /** Before the first look: all that was written by then (ms of the same clock, also a negative one) had been applied. */
  begin(appliedMs: number): void {
    this.#appliedMs ??= appliedMs;
  }

  /** At `atMs` (ms of a steady clock) the publisher had written up to `lsn`, and the subscriber had applied `confirmed`. */
  look(lsn: bigint, confirmed: bigint, atMs: number): Lag {
    this.#waiting.push({ lsn, atMs });
    this.#appliedMs ??= atMs;
    let applied = 0;
    for (const sample of this.#waiting) {
      if (sample.lsn > confirmed) break;
      this.#appliedMs = sample.atMs;
      applied += 1;
    }
    this.#waiting.splice(0, applied);
    if (this.#waiting.length > MAX_SAMPLES)
      this.#waiting = this.#waiting.filter((_, index) => index % 2 === 0);
    const bytes = lsn > confirmed ? Number(lsn - confirmed) : 0;
    return { bytes, seconds: Math.round(atMs - this.#appliedMs) / 1_000 };
  }
}
