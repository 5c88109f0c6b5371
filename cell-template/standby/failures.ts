// Whether a subscription can not apply what arrives, or has only lost its publisher now and then. Pure.

/** A worker that can not go on fails anew with each try (`wal_retrieve_retry_interval`, 5 s by default). */
const MEMORY_MS = 12_000;
/** One failure is a lost connection, or a race that the next try wins. */
const FAILURES = 2;

export class Failures {
  /** How many PostgreSQL has counted, a lost connection among them; null: not asked yet. */
  #counted: number | null = null;
  #applied = 0n;
  /** When it failed without having got any further since, ms of a steady clock. */
  #atMs: number[] = [];

  /** As after a restart, where it was failing before. */
  recall(nowMs: number): void {
    this.#atMs = [nowMs, nowMs];
  }

  /** `counted`: failures so far (pg_stat_subscription_stats); `applied`: up to where it has the publisher's commits. */
  look(counted: number, applied: bigint, nowMs: number): void {
    if (this.#counted !== null && applied > this.#applied) this.#atMs = [];
    const more = Math.max(0, counted - (this.#counted ?? counted));
    for (let failure = 0; failure < Math.min(more, FAILURES); failure += 1) this.#atMs.push(nowMs);
    this.#atMs = this.#atMs.filter((atMs) => nowMs - atMs < MEMORY_MS).slice(-FAILURES);
    this.#counted = counted;
    this.#applied = applied;
  }

  get last(): boolean {
    return this.#atMs.length >= FAILURES;
  }
}
