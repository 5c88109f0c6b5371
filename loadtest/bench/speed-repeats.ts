// Measuring again what others have disturbed, and saying so when that is given up.

/** With more than this of the machine taken by others, a measurement says nothing. */
export const OTHERS_MOST = 0.06;

/** How often what was disturbed is measured again: each measurement a few times, and all together not for ever. */
export class Repeats {
  #left: number;
  /** How many of them were used up. */
  used = 0;
  /** Measurements that stayed disturbed. */
  givenUp = 0;

  constructor(most: number) {
    this.#left = most;
  }

  /** Whether there is one more. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.used += 1;
    return true;
  }
}

const REPEATS_EACH = 3;

/** Measures until nobody else was busy meanwhile, or until it may not be repeated any more. */
export async function measureCalmly<T extends { others: number; disturbed: boolean }>(
  repeats: Repeats,
  measureOnce: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    const sample = await measureOnce();
    if (sample.others <= OTHERS_MOST) return sample;
    if (attempt < REPEATS_EACH && repeats.take()) continue;
    repeats.givenUp += 1;
    return { ...sample, disturbed: true };
  }
}
