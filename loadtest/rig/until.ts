// Waiting for a condition, with a bound against hanging.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Resolves with the first truthy answer of `probe`, asked every `everyMs`. Errors of the probe count as "not yet".
 * Rejects with `what` and the last error after `limitMs`.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { limitMs = 30_000, everyMs = 10 }: { limitMs?: number; everyMs?: number } = {},
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
    await pause(everyMs);
  }
  throw new Error(`gave up waiting until ${what}`, { cause: last });
}
