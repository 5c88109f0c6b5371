// What went wrong between the router and a cell, told apart by what it means for the client and for the cell.
import type { RefusalCode } from '../errors.ts';
import { beforeAnyRequest, tlsFailure, wordsFor } from '../tls/failures.ts';

export type CellFailure = {
  code: Extract<
    RefusalCode,
    'cell-connection-failed' | 'cell-timeout' | 'cell-bad-response' | 'body-too-large' | 'bad-request'
  >;
  /** The router's own words, without addresses. */
  detail: string;
  /**
   * What it says of the cell: no connection, a connection that broke, an answer that is late or malformed, or nothing
   * (it was the client's or ours).
   */
  blame: 'no-connection' | 'reset' | 'answer' | 'none';
};

/** The client's body was longer than `MAX_BODY_BYTES`. */
export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
}

/** The client left, or broke off its own body. */
export class ClientGone extends Error {
  override name = 'ClientGone';
}

/** The cell's answer has a transfer coding that nobody has asked for: its bytes would pass for what they are not. */
export class OddlyCoded extends Error {
  override name = 'OddlyCoded';
}

const NO_CONNECTION = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['UND_ERR_CONNECT_TIMEOUT', 'connect timed out'],
  ['ETIMEDOUT', 'connect timed out'],
  ['EHOSTUNREACH', 'no route'],
  ['ENETUNREACH', 'no route'],
  ['EHOSTDOWN', 'no route'],
  ['ENOTFOUND', 'name not found'],
  ['EAI_AGAIN', 'name not found'],
]);

const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);
const MALFORMED = /^(HPE_|UND_ERR_(HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH|INFO))/;

/** Reads an error of a dispatch. Never answers with the library's own message: it may hold an address. */
export function cellFailure(error: unknown): CellFailure {
  if (error instanceof BodyTooLarge)
    return { code: 'body-too-large', detail: 'The body is too long.', blame: 'none' };
  const { code, name: kind } = (error ?? {}) as { code?: unknown; name?: unknown };
  const name = typeof code === 'string' ? code : '';
  const noConnection = NO_CONNECTION.get(name);
  if (noConnection !== undefined) {
    return { code: 'cell-connection-failed', detail: noConnection, blame: 'no-connection' };
  }
  const byTls = tlsFailure(name);
  if (byTls !== null) {
    // Its probes fail as well: a cell that nobody can trust is a cell that nobody can reach.
    const blame = beforeAnyRequest(byTls) ? 'no-connection' : 'reset';
    return { code: 'cell-connection-failed', detail: wordsFor(byTls), blame };
  }
  if (name === 'UND_ERR_HEADERS_TIMEOUT' || name === 'UND_ERR_BODY_TIMEOUT') {
    return { code: 'cell-timeout', detail: 'no answer in time', blame: 'answer' };
  }
  if (RESET.has(name)) {
    return {
      code: 'cell-connection-failed',
      detail: 'connection closed before an answer',
      blame: 'reset',
    };
  }
  // Most errors of the parser carry no code, only the name of their class.
  if (kind === 'HTTPParserError' || kind === 'OddlyCoded' || MALFORMED.test(name)) {
    return { code: 'cell-bad-response', detail: 'not a well-formed answer', blame: 'answer' };
  }
  if (
    name === 'UND_ERR_INVALID_ARG' ||
    name === 'UND_ERR_NOT_SUPPORTED' ||
    name === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'
  ) {
    return { code: 'bad-request', detail: 'The request can not be written as HTTP/1.1.', blame: 'none' };
  }
  return { code: 'cell-connection-failed', detail: 'connection failed', blame: 'reset' };
}
