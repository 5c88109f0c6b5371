// Who may ask what is the operators' alone: holders of the cell's token; without one, whoever sits on the same machine.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { Refusal } from './errors.ts';

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** Throws `Refusal` `unauthorized` for everybody else. What came through a proxy did not come from this machine. */
export function expectOperator(request: FastifyRequest, token: string | null): void {
  const allowed =
    token === null
      ? LOOPBACK.test(request.ip) && request.headers['x-forwarded-for'] === undefined
      : isSame(request.headers.authorization ?? '', `Bearer ${token}`);
  if (!allowed) throw new Refusal('unauthorized', 'this needs the token of the cell');
}

function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
