// Condition waits: a test waits for what it needs to be true, never for time to pass.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Resolves with the first truthy answer of `probe`, asked every 10 ms.
 * Errors of the probe count as "not yet". Rejects with `what` and the last error after `limitMs`: a bound
 * against hanging, not an expectation of speed.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await pause(10);
  }
  throw new Error(`gave up waiting until ${what}`, { cause: last });
}
