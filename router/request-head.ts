// What the decisions know of a request: plain data, free of any HTTP library's objects.

export type RequestHead = {
  method: string;
  /** The request target as it came, byte for byte (as Latin-1). */
  target: string;
  /** The target's path: up to the first `?`. */
  path: string;
  /** The `Host` field's value, empty when there is none. */
  host: string;
  /** Names and values in turn, as they came. */
  rawHeaders: readonly string[];
  /** The peer's address. */
  peer: string;
  /** Whether the peer is in `TRUSTED_PROXIES`. */
  fromTrustedProxy: boolean;
};

/** The value of the first header of that (lower-case) name, or null. */
export function headerOf(head: RequestHead, name: string): string | null {
  const { rawHeaders } = head;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i] ?? '';
    if (candidate.length === name.length && candidate.toLowerCase() === name) return rawHeaders[i + 1] ?? '';
  }
  return null;
}

/**
 * The client's own address: the peer, or where the peer is trusted the last `X-Forwarded-For` entry that it added.
 */
export function clientAddress(head: RequestHead): string {
  if (!head.fromTrustedProxy) return head.peer;
  const forwarded = headerOf(head, 'x-forwarded-for');
  return forwarded?.split(',').at(-1)?.trim() ?? head.peer;
}
