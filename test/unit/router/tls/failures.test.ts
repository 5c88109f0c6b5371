// Codes of errors between the router and a cell: which are of TLS, and what they say.
import { expect, test } from 'vitest';
import { beforeAnyRequest, tlsFailure, wordsFor } from '../../../../router/tls/failures.ts';

test.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'wrong-name'],
  ['CERT_HAS_EXPIRED', 'expired'],
  ['CERT_NOT_YET_VALID', 'not-yet-valid'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'client-certificate-refused'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'client-certificate-refused'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'client-certificate-refused'],
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'client-certificate-refused'],
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'protocol'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'protocol'],
  ['EPROTO', 'protocol'],
] as const)('%s: %s', (code, reason) => {
  expect(tlsFailure(code)).toBe(reason);
  expect(wordsFor(reason)).toMatch(/^[ -~]+$/);
});

test.each(['ECONNRESET', 'ECONNREFUSED', 'UND_ERR_SOCKET', '', 'constructor', undefined, null, 7])(
  '%s is not of TLS',
  (code) => {
    expect(tlsFailure(code)).toBeNull();
  },
);

test('a connection that broke amid TLS may have carried a request, one that was never trusted has not', () => {
  expect(beforeAnyRequest('protocol')).toBe(false);
  expect(beforeAnyRequest('client-certificate-refused')).toBe(true);
  expect(beforeAnyRequest('untrusted')).toBe(true);
});
