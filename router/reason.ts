// The reason phrase of a status line (RFC 9112, section 4).
import { STATUS_CODES } from 'node:http';

/** `offered`: the cell's own, where it can be written as it came. */
export function reasonOf(status: number, offered?: string): string {
  if (offered !== undefined && /^[\t\x20-\x7e]*$/.test(offered)) return offered;
  return STATUS_CODES[status] ?? '';
}
