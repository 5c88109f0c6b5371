// Who may bring rules: whoever has the token; without one, who is on this machine and speaks for nobody else.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** `token`: `CELL_TOKEN`; null: a peer on loopback, but no proxy there that passes on what came from elsewhere. */
export function mayBringRules({ headers, socket }: IncomingMessage, token: string | null): boolean {
  if (token === null) {
    return LOOPBACK.test(socket.remoteAddress ?? '') && headers['x-forwarded-for'] === undefined;
  }
  const [, given = ''] = /^Bearer +(.+)$/i.exec(headers.authorization ?? '') ?? [];
  // Of one length whatever was sent, so that the time it takes says nothing about the token.
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
