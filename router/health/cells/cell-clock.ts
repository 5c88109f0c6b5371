// What time it is at a cell: deadlines are read there, by its clock and not by this router's.

/** The `Date` of an answer counts whole seconds (RFC 9110, section 6.6.1): the cell's clock may be this much further. */
const DATE_STEP_MS = 1_000;
/** Clocks that are kept in step are closer than this. */
const IN_STEP_MS = 1_000;

/** This process' own clock in epoch milliseconds, which nobody sets while it runs: it goes on evenly from its start. */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * What `steadyNow` adds to the machine's monotonic clock, which all processes share: their steady clocks differ by it where
 * the system's clock was set between their starts.
 */
export function steadyOriginMs(): number {
  return steadyNow() - Number(process.hrtime.bigint()) / 1e6;
}

/** A cell's clock, as its answers show it. Without any, or while the two are in step, it is this router's own. */
export class CellClock {
  #offsetMs = 0;

  /** An answer that came between these moments (of `steadyNow`) showed this date; null: it showed none. */
  learn(date: string | null, askedAtMs: number, answeredAtMs: number): void {
    const shownMs = Date.parse(date ?? '');
    if (Number.isNaN(shownMs)) return;
    const behindMs = askedAtMs - (shownMs + DATE_STEP_MS);
    const aheadMs = shownMs - answeredAtMs;
    const inStep = behindMs <= IN_STEP_MS && aheadMs <= IN_STEP_MS;
    // The latest it can be: a deadline that is a second late drops too little, an early one would drop everything.
    this.#offsetMs = inStep ? 0 : shownMs + DATE_STEP_MS - answeredAtMs;
  }

  /** How far it is ahead of `steadyNow`. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Now, in epoch milliseconds of the cell's clock. */
  get nowMs(): number {
    return steadyNow() + this.#offsetMs;
  }
}
