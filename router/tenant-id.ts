// What a tenant ID may be, wherever it comes from: a request, a token, a pin, the admin port.
import { LIMITS } from './limits.ts';

/**
 * Letters, marks, digits, punctuation and symbols of any script. No white space, no control or format characters
 * (they hide in logs), and no comma: RFC 9110, section 5.3, lets any intermediary merge two header lines into one
 * with a comma, so "a,b" could be two tenants.
 */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u;
const PLAIN = /^[A-Za-z0-9._:@-]{1,128}$/;

/** Whether `id` is a well-formed tenant ID: 1–128 bytes of UTF-8, printable, without white space and comma. */
export function isTenantId(id: string): boolean {
  if (PLAIN.test(id)) return true;
  return (
    PRINTABLE.test(id) &&
    !id.includes(',') &&
    id.isWellFormed() &&
    Buffer.byteLength(id) <= LIMITS.tenantBytes
  );
}

export const TENANT_ID_ALLOWED = `1–${LIMITS.tenantBytes} bytes of UTF-8, printable, no white space, no comma`;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A header value, or a part of the request target, as text. Node hands their bytes over as Latin-1; tenants are UTF-8.
 * Null when the bytes are not UTF-8.
 */
export function decodeHeaderValue(latin1: string): string | null {
  if (/^[\0-\x7f]*$/.test(latin1)) return latin1;
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return null;
  }
}

/** Text as a header value: the UTF-8 bytes in the Latin-1 form that is written byte for byte. */
export function encodeHeaderValue(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
