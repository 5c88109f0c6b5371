// Condition waits: a test waits for what it needs to be true, never for time to pass.
import { until as untilTrue } from '../../loadtest/rig/until.ts';

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
  return await untilTrue(what, probe, { limitMs });
}
