// What went wrong between the router and a cell, told apart by what it means for the client and for the cell.
import type { RefusalCode } from '../errors.ts';
import { MalformedAnswer } from './wire/answer-head.ts';
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

/** The client's body is not as long as its `Content-Length` says: no front lets that pass, and no cell may see it. */
export class BodyMismatch extends Error {
  override name = 'BodyMismatch';
}

/** No connection to the cell came about in time. */
export class ConnectTimeout extends Error {
  override name = 'ConnectTimeout';
}

/** The cell took too long to answer, or to go on with its answer. */
export class AnswerTimeout extends Error {
  override name = 'AnswerTimeout';
}

/** The cell has ended the connection. */
export class ConnectionClosed extends Error {
  override name = 'ConnectionClosed';
}

const NO_CONNECTION = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ETIMEDOUT', 'connect timed out'],
  ['EHOSTUNREACH', 'no route'],
  ['ENETUNREACH', 'no route'],
  ['EHOSTDOWN', 'no route'],
  ['ENOTFOUND', 'name not found'],
  ['EAI_AGAIN', 'name not found'],
]);

const RESET = new Set(['ECONNRESET', 'EPIPE']);

/** Reads how a sending failed. Never answers with the system's own message: it may hold an address. */
export function cellFailure(error: unknown): CellFailure {
  if (error instanceof BodyTooLarge)
    return { code: 'body-too-large', detail: 'The body is too long.', blame: 'none' };
  if (error instanceof BodyMismatch)
    return { code: 'bad-request', detail: 'The body is not as long as it says.', blame: 'none' };
  if (error instanceof AnswerTimeout)
    return { code: 'cell-timeout', detail: 'no answer in time', blame: 'answer' };
  if (error instanceof MalformedAnswer)
    return { code: 'cell-bad-response', detail: 'not a well-formed answer', blame: 'answer' };
  const name = nameOf(error);
  const noConnection = NO_CONNECTION.get(name);
  if (noConnection !== undefined)
    return { code: 'cell-connection-failed', detail: noConnection, blame: 'no-connection' };
  const byTls = tlsFailure(name);
  if (byTls !== null) {
    // Its probes fail as well: a cell that nobody can trust is a cell that nobody can reach.
    const blame = beforeAnyRequest(byTls) ? 'no-connection' : 'reset';
    return { code: 'cell-connection-failed', detail: wordsFor(byTls), blame };
  }
  const detail = RESET.has(name) ? 'connection closed before an answer' : 'connection failed';
  return { code: 'cell-connection-failed', detail, blame: 'reset' };
}

function nameOf(error: unknown): string {
  if (error instanceof ConnectTimeout) return 'ETIMEDOUT';
  if (error instanceof ConnectionClosed) return 'ECONNRESET';
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
