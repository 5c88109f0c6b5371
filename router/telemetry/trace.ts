// Identifiers of a request: `x-request-id`, and the W3C Trace Context (Recommendation, level 1).
import { randomFillSync } from 'node:crypto';

/** A request ID from outside is passed on only if it is harmless in logs and headers. */
const SANE_ID = /^[A-Za-z0-9._:/+=@-]{1,128}$/;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;

/** Drawn many at a time, as digits: measured, two draws a request of a few bytes each took 5 % of its time. */
const drawn = Buffer.alloc(4_096);
let digits = '';
let used = 0;

function randomHex(bytes: number): string {
  if (used + 2 * bytes > digits.length) {
    digits = randomFillSync(drawn).toString('hex');
    used = 0;
  }
  used += 2 * bytes;
  return digits.slice(used - 2 * bytes, used);
}

/** The client's request ID where it is sane, else a new one: 128 random bits, in hexadecimal digits. */
export function requestIdFrom(offered: string | null): string {
  return offered !== null && SANE_ID.test(offered) ? offered : randomHex(16);
}

/**
 * The `traceparent` to send on: a valid one keeps its trace and gets a new parent, any other is replaced.
 * `continues` says whether the client's `tracestate` still belongs to it.
 */
export function traceparentFrom(offered: string | null): { value: string; continues: boolean } {
  const parent = randomHex(8);
  const match = offered === null ? null : TRACEPARENT.exec(offered);
  // Version 00 has exactly four fields; a later version may have more (section 3.2.2.1).
  const valid = match !== null && !(match[3] !== undefined && offered?.startsWith('00') === true);
  if (valid) return { value: `00-${match[1]}-${parent}-${match[2]}`, continues: true };
  return { value: `00-${randomHex(16)}-${parent}-01`, continues: false };
}
