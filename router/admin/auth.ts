// Who may change things: a bearer token of `ADMIN_TOKEN`, whose name becomes the actor of the event.
import { createHash, timingSafeEqual } from 'node:crypto';

export type AuthAnswer = { actor: string } | { refused: 'admin-disabled' | 'admin-unauthorized' };

/**
 * `tokens`: token by name; none: every change is refused. All of them are compared, each in constant time, so that the
 * time tells neither how much of a token was right nor whose it was.
 */
export function authorize(
  authorization: string | undefined,
  tokens: ReadonlyMap<string, string>,
): AuthAnswer {
  if (tokens.size === 0) return { refused: 'admin-disabled' };
  const offered = digest(/^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '');
  let actor: string | null = null;
  for (const [name, token] of tokens) {
    if (timingSafeEqual(offered, digest(token))) actor = name;
  }
  return actor === null ? { refused: 'admin-unauthorized' } : { actor };
}

/** Of one length whatever is compared. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
