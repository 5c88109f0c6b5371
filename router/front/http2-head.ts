// From an HTTP/2 header list to plain data: the head that every decision reads (RFC 9113, section 8.3).
import type { Peer, RequestHead } from '../request-head.ts';

/** `fields`: names and values in turn, pseudo-fields first, as nghttp2 has let them pass. */
export function readHttp2Head(fields: readonly string[], peer: Peer): RequestHead {
  const pseudo = new Map<string, string>();
  const rawHeaders: string[] = [];
  let host = '';
  let cookieAt = -1;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name.startsWith(':')) {
      pseudo.set(name, value);
      continue;
    }
    if (name === 'host') host = value;
    // Section 8.2.3: cut into crumbs they are one field to whoever speaks HTTP/1.1.
    if (name === 'cookie' && cookieAt !== -1) {
      rawHeaders[cookieAt] += `; ${value}`;
      continue;
    }
    rawHeaders.push(name, value);
    if (name === 'cookie') cookieAt = rawHeaders.length - 1;
  }
  const authority = pseudo.get(':authority');
  // CONNECT alone comes without a path; it is refused for what it is.
  const target = pseudo.get(':path') ?? authority ?? '';
  const queryAt = target.indexOf('?');
  return {
    method: pseudo.get(':method') ?? '',
    version: '2',
    target,
    path: queryAt === -1 ? target : target.slice(0, queryAt),
    host: authority ?? host,
    rawHeaders,
    ...peer,
  };
}
