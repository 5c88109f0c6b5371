// Medians, and how sure they are. Pure.

/** The middle value, or the mean of the two in the middle. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  const lower = sorted[Math.ceil(half) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The largest value; NaN of nothing. */
export function worst(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.max(...values);
}

/** The value that so large a part (0–1) of them does not exceed, by nearest rank. NaN of nothing. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

export type Interval = { low: number; high: number };

const RESAMPLES = 2_000;

/**
 * The 95 % interval of the median, by the percentile bootstrap: B. Efron, "Bootstrap methods: another look at the
 * jackknife", 1979. The draws are the same for the same values, so that a report can be computed again.
 */
export function medianInterval(values: readonly number[]): Interval {
  const random = randomFrom(values.length);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  ).sort((a, b) => a - b);
  const at = (part: number): number => medians[Math.round(part * (RESAMPLES - 1))] ?? Number.NaN;
  return { low: at(0.025), high: at(0.975) };
}

/** What is paired is divided pair by pair; the median of that, and its 95 % interval. Pairs of which one is missing are left out. */
export function medianRatio(
  dividends: readonly number[],
  divisors: readonly number[],
): { value: number; interval: Interval } {
  const ratios = dividends.slice(0, divisors.length).map((one, at) => one / (divisors[at] ?? Number.NaN));
  return { value: median(ratios), interval: medianInterval(ratios) };
}

/** mulberry32: small, and good enough to draw samples. Numbers in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
