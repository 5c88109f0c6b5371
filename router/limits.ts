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
  /** A tenant ID, in UTF-8. */
  tenantBytes: 128,
  /** How often one request's bytes may be written to a cell, and connections opened or taken for it. */
  sendings: 2,
  connections: 3,
} as const;
