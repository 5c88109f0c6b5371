// One tenant whose requests fail, again and again, while its cell answers everybody else.

/** Shorter than that it is a tenant's bad moment; the cell has borne it for so long. */
const LASTING_MS = 10_000;
/** Between two looks that find the same: two windows of traffic. */
const GAP_MS = 4_000;

export class LoneFailure {
  #tenant: string | null = null;
  #sinceMs = 0;
  #lastMs = 0;

  /**
   * Takes a look: who has all the bad answers of the last moment, where these are so many that the cell would be given up
   * but for the others (null: nobody). Answers the tenant once it has been the same one for long. `nowMs`: any monotonic
   * clock.
   */
  look(tenant: string | null, nowMs: number): string | null {
    if (tenant === null) return null;
    if (tenant !== this.#tenant || nowMs - this.#lastMs > GAP_MS) {
      this.#tenant = tenant;
      this.#sinceMs = nowMs;
    }
    this.#lastMs = nowMs;
    if (nowMs - this.#sinceMs < LASTING_MS) return null;
    // Where nothing comes of it, it is told again after as long a time.
    this.#sinceMs = nowMs;
    return tenant;
  }
}
