// What a request says of itself in headers: its Idempotency-Key, and the state that it wants to meet.
import type { FastifyRequest } from 'fastify';
import { Refusal } from '../errors.ts';
import { parseIfMatch, type Wanted } from '../orders/etag.ts';

/** Visible ASCII (draft-ietf-httpapi-idempotency-key wants a quoted string; its quotes are part of the key here). */
const KEY = /^[\x21-\x7e]{1,200}$/;

/** The Idempotency-Key; null without one. Throws `Refusal` `bad-request` for one that is unusable, or sent twice. */
export function keyOf(request: FastifyRequest): string | null {
  const [key, ...more] = request.raw.headersDistinct['idempotency-key'] ?? [];
  if (key === undefined) return null;
  if (more.length > 0) throw new Refusal('bad-request', 'Idempotency-Key was sent more than once');
  if (!KEY.test(key))
    throw new Refusal('bad-request', 'Idempotency-Key is not 1 to 200 visible ASCII characters');
  return key;
}

/** The entity tags of If-Match; null without one. Throws `Refusal` `bad-request` for what is not a list of them. */
export function ifMatch(request: FastifyRequest): Wanted | null {
  const header = request.headers['if-match'];
  if (header === undefined) return null;
  const wanted = parseIfMatch(header);
  if (wanted === null) throw new Refusal('bad-request', 'If-Match is not a list of entity tags');
  return wanted;
}
