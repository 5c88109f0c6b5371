// Every refusal the router makes by itself: its stable code, its status, and what a client may do about it.

type Refusal = {
  status: number;
  title: string;
  /** RFC 9209, section 2.3: the error type told in `Proxy-Status`. */
  proxyStatus: string;
  /** Seconds for `Retry-After`, only where waiting helps. */
  retryAfterS?: number;
};

/** The table. A code never changes its meaning; `docs/refusals.md` is compared with it by a test. */
export const REFUSALS = {
  'tenant-missing': {
    status: 400,
    title: 'The request names no tenant.',
    proxyStatus: 'http_request_denied',
  },
  'tenant-invalid': {
    status: 400,
    title: 'The tenant ID is not well formed.',
    proxyStatus: 'http_request_denied',
  },
  'tenant-conflict': {
    status: 400,
    title: 'The request names more than one tenant.',
    proxyStatus: 'http_request_denied',
  },
  'bad-request': {
    status: 400,
    title: 'The request can not be forwarded.',
    proxyStatus: 'http_request_error',
  },
  'tenant-unverified': {
    status: 401,
    title: 'The bearer token could not be verified.',
    proxyStatus: 'http_request_denied',
  },
  'method-not-allowed': {
    status: 405,
    title: 'This method is not allowed here.',
    proxyStatus: 'http_request_denied',
  },
  'body-too-large': {
    status: 413,
    title: 'The request body is larger than allowed.',
    proxyStatus: 'http_request_error',
  },
  'uri-too-long': {
    status: 414,
    title: 'The request target is longer than allowed.',
    proxyStatus: 'http_request_error',
  },
  'expectation-failed': {
    status: 417,
    title: 'The Expect header asks for something other than 100-continue.',
    proxyStatus: 'http_request_error',
  },
  'tenant-rate-limited': {
    status: 429,
    title: 'The tenant has sent more requests than its rate allows.',
    proxyStatus: 'http_request_denied',
    retryAfterS: 1,
  },
  'headers-too-large': {
    status: 431,
    title: 'The header fields are larger, or more, than allowed.',
    proxyStatus: 'http_request_error',
  },
  'cell-connection-failed': {
    status: 502,
    title: 'The connection to the cell failed.',
    proxyStatus: 'connection_terminated',
    retryAfterS: 1,
  },
  'cell-bad-response': {
    status: 502,
    title: 'The cell sent an answer that can not be passed on.',
    proxyStatus: 'http_protocol_error',
  },
  'cell-unavailable': {
    status: 503,
    title: 'The cell that serves this tenant is unavailable.',
    proxyStatus: 'destination_unavailable',
    retryAfterS: 1,
  },
  'cell-overloaded': {
    status: 503,
    title: 'The cell that serves this tenant has no room left.',
    proxyStatus: 'connection_limit_reached',
    retryAfterS: 1,
  },
  'placement-moving': {
    status: 503,
    title: 'The tenant is being moved to another cell.',
    proxyStatus: 'destination_unavailable',
    retryAfterS: 1,
  },
  'tenant-quarantined': {
    status: 503,
    title: 'The tenant is quarantined.',
    proxyStatus: 'http_request_denied',
    retryAfterS: 600,
  },
  'keys-unavailable': {
    status: 503,
    title: 'The keys that verify bearer tokens are unavailable.',
    proxyStatus: 'proxy_internal_error',
    retryAfterS: 2,
  },
  'router-not-ready': {
    status: 503,
    title: 'The router has just started and does not know yet which cells serve.',
    proxyStatus: 'proxy_internal_response',
    retryAfterS: 1,
  },
  'cell-timeout': {
    status: 504,
    title: 'The cell did not answer in time.',
    proxyStatus: 'http_response_timeout',
  },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

/** What one answer says beyond the table. */
export type RefusalMore = {
  /** The methods of a 405 (RFC 9110, section 15.5.6). */
  allow?: string;
  /** Whole seconds, instead of the table's. */
  retryAfterS?: number;
};

/** RFC 9457 media type. */
const PROBLEM_JSON = 'application/problem+json';

/**
 * The refusal as it goes on the wire: status, flat header list and body (RFC 9457, RFC 9209).
 * `detail` must come from the router's own words: never an address, never what a cell or a library said.
 */
export function refusalAnswer(
  code: RefusalCode,
  detail: string | null,
  requestId: string,
  { allow, retryAfterS }: RefusalMore = {},
): { status: number; headers: string[]; body: string } {
  const refusal: Refusal = REFUSALS[code];
  const body = JSON.stringify({
    type: `urn:cellgate:error:${code}`,
    title: refusal.title,
    status: refusal.status,
    code,
    ...(detail === null ? {} : { detail }),
    requestId,
  });
  const headers = [
    'content-type',
    PROBLEM_JSON,
    'content-length',
    String(Buffer.byteLength(body)),
    'cache-control',
    'no-store',
    'proxy-status',
    `cellgate; error=${refusal.proxyStatus}`,
    'x-request-id',
    requestId,
  ];
  const waitS = retryAfterS ?? refusal.retryAfterS;
  if (waitS !== undefined) headers.push('retry-after', String(waitS));
  if (allow !== undefined) headers.push('allow', allow);
  if (code === 'tenant-unverified') headers.push('www-authenticate', 'Bearer error="invalid_token"');
  return { status: refusal.status, headers, body };
}
