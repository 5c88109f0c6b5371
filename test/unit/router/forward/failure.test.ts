// What an error between the router and a cell means, in words that name no address.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AnswerTimeout,
  BodyMismatch,
  BodyTooLarge,
  cellFailure,
  ConnectionClosed,
  ConnectTimeout,
} from '../../../../router/forward/failure.ts';
import { MalformedAnswer } from '../../../../router/forward/wire/answer-head.ts';

function error(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.0.0.9:4101`), { code });
}

test.each([
  ['ECONNREFUSED', 'cell-connection-failed', 'no-connection'],
  ['ETIMEDOUT', 'cell-connection-failed', 'no-connection'],
  ['EHOSTUNREACH', 'cell-connection-failed', 'no-connection'],
  ['ENOTFOUND', 'cell-connection-failed', 'no-connection'],
  ['ECONNRESET', 'cell-connection-failed', 'reset'],
  ['EPIPE', 'cell-connection-failed', 'reset'],
  ['CERT_HAS_EXPIRED', 'cell-connection-failed', 'no-connection'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'cell-connection-failed', 'no-connection'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'cell-connection-failed', 'no-connection'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'cell-connection-failed', 'no-connection'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'cell-connection-failed', 'reset'],
  ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'cell-connection-failed', 'reset'],
  ['ESOMETHING', 'cell-connection-failed', 'reset'],
])('%s is %s, and says of the cell: %s', (code, refusal, blame) => {
  expect(cellFailure(error(code))).toMatchObject({ code: refusal, blame });
});

test.each([
  [new BodyMismatch(), 'bad-request', 'none'],
  [new ConnectTimeout(), 'cell-connection-failed', 'no-connection'],
  [new ConnectionClosed(), 'cell-connection-failed', 'reset'],
  [new AnswerTimeout(), 'cell-timeout', 'answer'],
  [new MalformedAnswer(), 'cell-bad-response', 'answer'],
])('%s is %s, and says of the cell: %s', (failure, refusal, blame) => {
  expect(cellFailure(failure)).toMatchObject({ code: refusal, blame });
});

test('a body that is too long is nobody’s fault but the client’s', () => {
  expect(cellFailure(new BodyTooLarge())).toMatchObject({ code: 'body-too-large', blame: 'none' });
});

test('no detail repeats what a library said', () => {
  fc.assert(
    fc.property(fc.string(), (code) => {
      expect(cellFailure(error(code)).detail).not.toContain('10.0.0.9');
    }),
  );
});

test('whatever is thrown is a failure with words of its own', () => {
  for (const thrown of [
    null,
    undefined,
    'text',
    5,
    {},
    { code: 7 },
    error('constructor'),
    error('__proto__'),
  ]) {
    expect(cellFailure(thrown)).toEqual({
      code: 'cell-connection-failed',
      detail: 'connection failed',
      blame: 'reset',
    });
  }
});
