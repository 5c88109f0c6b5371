// What the decisions know of a request: plain data, free of any HTTP library's objects.

export type RequestHead = {
  method: string;
  /** The HTTP version it came in: `1.0`, `1.1`, or `2`. A line of HTTP/1 that says `2.0` is not HTTP/2. */
  version: string;
  /** The request target as it came, byte for byte (as Latin-1). */
  target: string;
  /** The target's path: up to the first `?`. */
  path: string;
  /** The `Host` field's value, or `:authority`; empty when there is none. */
  host: string;
  /** Names and values in turn, as they came. */
  rawHeaders: readonly string[];
  /** The peer's address. */
  peer: string;
  /** Whether it came over TLS. */
  secure: boolean;
  /** Whether the peer is in `TRUSTED_PROXIES`. */
  fromTrustedProxy: boolean;
};

/** Who is at the other end of a connection. */
export type Peer = Pick<RequestHead, 'peer' | 'fromTrustedProxy' | 'secure'>;

/** The value of the first field of that (lower-case) name in a list of names and values, or null. */
export function fieldOf(fields: readonly string[], name: string): string | null {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const candidate = fields[i] ?? '';
    if (candidate.length === name.length && candidate.toLowerCase() === name) return fields[i + 1] ?? '';
  }
  return null;
}

/** The value of the first header of that (lower-case) name, or null. */
export function headerOf({ rawHeaders }: Pick<RequestHead, 'rawHeaders'>, name: string): string | null {
  return fieldOf(rawHeaders, name);
}

/**
 * All headers of that (lower-case) name as one comma-separated list (RFC 9110, section 5.3), or null. A proxy may add
 * its own line below the client's instead of extending it.
 */
export function listOf({ rawHeaders }: Pick<RequestHead, 'rawHeaders'>, name: string): string | null {
  let list: string | null = null;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i] ?? '';
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    list = list === null ? (rawHeaders[i + 1] ?? '') : `${list}, ${rawHeaders[i + 1]}`;
  }
  return list;
}

/**
 * The client's own address: the peer, or where the peer is trusted the last `X-Forwarded-For` entry, which it added.
 */
export function clientAddress(head: RequestHead): string {
  const forwarded = head.fromTrustedProxy ? listOf(head, 'x-forwarded-for') : null;
  const last = forwarded?.split(',').at(-1)?.trim() ?? '';
  return last === '' ? head.peer : last;
}
