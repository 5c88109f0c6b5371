// IDs that two databases give alike: no sequence travels, so what must be one row is named by what it stands for (pure).
import { createHash, randomUUIDv7 } from 'node:crypto';

/** This project's own namespace (RFC 9562, section 6.5): any fixed UUID, never another one. */
const NAMESPACE = Buffer.from('5f0f4f6b9d0e4c1a8b1f2a7c3e9d6b54', 'hex');
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether `text` is a UUID as PostgreSQL reads one. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The UUIDv5 (RFC 9562, section 5.5) of `parts` in this project's namespace; no part may hold a NUL, which parts them. */
export function uuidV5(...parts: readonly (string | number)[]): string {
  const bytes = createHash('sha1')
    .update(NAMESPACE)
    .update(parts.join('\0'), 'utf8')
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The ID of a new order: of its tenant and Idempotency-Key, the same in any cell; without a key a new UUIDv7. */
export function orderId(tenant: string, key: string | null): string {
  return key === null ? randomUUIDv7() : uuidV5(tenant, key);
}

/** The ID of the outbox entry that goes with an order's creation: the same wherever the same creation is sent again. */
export function creationEntryId(id: string, kind: string): string {
  return uuidV5(id, kind);
}

/** The ID of the outbox entry that goes with the write of one version of an order. */
export function entryId(written: { id: string; epoch: number; version: number }, kind: string): string {
  return uuidV5(written.id, written.epoch, written.version, kind);
}

/** What an Idempotency-Key stands for, as SHA-256 in hex of the request's members in fixed order. */
export function digestOf({ item, quantity }: { item: string; quantity: number }): string {
  return createHash('sha256').update(JSON.stringify({ item, quantity })).digest('hex');
}
