// Why TLS towards a cell failed: an error's code → one of a few reasons, each with words for a client.

/** The reasons, as the metric tells them, and the router's own words for each: nothing of a certificate, no address. */
const REASONS = {
  /** Of an authority that is not trusted, or with a chain that leads to none. */
  untrusted: 'certificate not trusted',
  'wrong-name': 'certificate for another name',
  expired: 'certificate expired',
  'not-yet-valid': 'certificate not valid yet',
  /** The cell wants a client certificate, and takes none of ours. */
  'client-certificate-refused': 'client certificate refused',
  /** No version or cipher in common, or the other end does not speak TLS at all. */
  protocol: 'no TLS connection',
} as const;

export type TlsFailure = keyof typeof REASONS;

/** What OpenSSL's verification finds wrong with a peer's certificate, and is none of the above. */
const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'UNSPECIFIED',
]);

/**
 * Alerts about the certificate that the other end was shown, or was not (RFC 8446, section 6.2). In TLS 1.3 they come
 * after the client's part of the handshake is over: as the answer to the first request, which the other end has not
 * read. TLS 1.2 tells of a missing one by `HANDSHAKE_FAILURE`, as of much else: that stays `protocol`.
 */
const CLIENT_REFUSED =
  /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)$/;

/** Reads an error's `code`; null: not of TLS. */
export function tlsFailure(code: unknown): TlsFailure | null {
  if (typeof code !== 'string') return null;
  if (UNTRUSTED.has(code)) return 'untrusted';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') return 'wrong-name';
  if (code === 'CERT_HAS_EXPIRED') return 'expired';
  if (code === 'CERT_NOT_YET_VALID') return 'not-yet-valid';
  if (!code.startsWith('ERR_SSL_') && code !== 'EPROTO') return null;
  return CLIENT_REFUSED.test(code) ? 'client-certificate-refused' : 'protocol';
}

export function wordsFor(reason: TlsFailure): string {
  return REASONS[reason];
}

/** Whether it tells that nothing which was sent was read: nobody reads a request before the handshake is over. */
export function beforeAnyRequest(reason: TlsFailure): boolean {
  return reason !== 'protocol';
}
