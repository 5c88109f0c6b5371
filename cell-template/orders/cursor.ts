// Where a page of orders ends, as an opaque text for clients (pure).
import { isUuid } from './ids.ts';

/** The last order of a page; `createdAtMicros` are microseconds since 1970, which a JavaScript `Date` can not hold. */
export type Cursor = { createdAtMicros: string; id: string };

const FORM = /^(\d{1,16})\.([0-9a-f-]{36})$/;

export function encodeCursor({ createdAtMicros, id }: Cursor): string {
  return Buffer.from(`${createdAtMicros}.${id}`).toString('base64url');
}

/** The cursor that `encodeCursor` made `text` of; null for anything else. */
export function decodeCursor(text: string): Cursor | null {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const [, createdAtMicros, id] = FORM.exec(plain) ?? [];
  if (createdAtMicros === undefined || id === undefined || !isUuid(id)) return null;
  const cursor = { createdAtMicros, id };
  // Node decodes leniently: only the one spelling that was handed out counts.
  return encodeCursor(cursor) === text ? cursor : null;
}
