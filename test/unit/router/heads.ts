// Request heads for the unit tests: an ordinary GET, and whatever a test wants to be different.
import type { RequestHead } from '../../../router/request-head.ts';

type Differences = Partial<Omit<RequestHead, 'rawHeaders'>> & { headers?: readonly [string, string][] };

/** `headers`: pairs, as they came; the path is the target's, up to the first `?`. */
export function headOf({ headers = [], ...more }: Differences = {}): RequestHead {
  const target = more.target ?? more.path ?? '/orders';
  return {
    method: 'GET',
    version: '1.1',
    target,
    path: target.split('?')[0] ?? '',
    host: 'router.test:8080',
    rawHeaders: headers.flat(),
    peer: '192.0.2.7',
    secure: false,
    fromTrustedProxy: false,
    ...more,
  };
}

/** Text as Node hands its UTF-8 bytes over: each byte a character. */
export function asLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
