// The limits that no setting changes. The README's table is compared with them by a test.

export const LIMITS = {
  /** The longest request target, in bytes; a longer one is `uri-too-long`. */
  uriBytes: 8_192,
  /** All header fields of a request, each with its colon and line end; more are `headers-too-large`. */
  headerBytes: 16_384,
  headerFields: 100,
  /** Where the parser itself stops reading a head: above the limits before, so that most clients are told why. */
  headBytes: 65_536,
  /** From the first byte of a request, or from the opening of its connection, to the end of its head. */
  headMs: 10_000,
  /** From there to the end of its body. */
  requestMs: 300_000,
  /** A connection without a request on it. Above the 60 s that balancers in front usually keep theirs for. */
  idleMs: 65_000,
  /** A client must make progress in each span of this length, while it is its turn. */
  paceMs: 20_000,
  /** What progress is for a body on its way in; on the way out it is any write that the client has taken. */
  paceBytes: 1_024,
  /** Requests at once on one HTTP/2 connection. */
  http2Streams: 128,
  /** An HTTP/2 head, by its rules: 32 bytes more for each field. Above the limits for all, so that most clients are told why. */
  http2HeadBytes: 32_768,
  http2Fields: 256,
  /** Streams that a client resets: so many at once, and so many a second for long. */
  http2Resets: 200,
  http2ResetsPerS: 20,
  /** Frames on one HTTP/2 connection that make no sense. */
  http2Invalid: 100,
  /** Pings and settings on one HTTP/2 connection within a second. */
  http2Asides: 100,
  /** A tenant ID, in UTF-8. */
  tenantBytes: 128,
  /** How often one request's bytes may be written to a cell, and connections opened or taken for it. */
  sendings: 2,
  connections: 3,
  /** Sendings again to one cell at once: this part of what is inside it, and always a few. */
  retryRatio: 0.2,
  retryFloor: 3,
  /** What a 421 may say, and for how long: it holds a place in the lane meanwhile. */
  misdirectedBytes: 4_096,
  misdirectedMs: 500,
  /** After a hold that ended without a verdict nothing waits for that cell for so long. */
  noHoldMs: 10_000,
  /** The head of a cell's answer. */
  cellHeadBytes: 65_536,
  /** A kept connection to a cell without a request on it: below any sane cell's own limit. */
  cellIdleMs: 4_000,
  /**
   * A cell that tells its idle limit (`Keep-Alive: timeout=`) is left so much earlier; one whose limit is no longer than
   * this gets a new connection for each request. The seconds it tells are whole, and a busy router may be late itself.
   */
  cellIdleMarginMs: 2_000,
  /** What a client may send before its WebSocket is granted; more than that waits in its own socket. */
  earlyBytes: 65_536,
  /** After one side of a tunnel has said its last, the other may finish its sentence. */
  lingerMs: 2_000,
  /** Dead peers of tunnels, and of connections to cells, are found by TCP keep-alive: so long, and ten probes a second apart. */
  tunnelKeepAliveMs: 30_000,
  /** A tenant's share of a lane that others need too, what guests get of a cell at most, and at least. */
  tenantShare: 0.25,
  guestMost: 0.5,
  guestLeast: 0.0625,
  /** Tenants whose rates are remembered, at least; at most twice as many. */
  ratedTenants: 100_000,
} as const;
