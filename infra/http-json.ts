// One small JSON request over TCP or a unix socket, each on a connection of its own that ends with the answer.
import http from 'node:http';
import https from 'node:https';

export type JsonTarget = { url: string } | { socketPath: string; path: string };
export type JsonRequest = {
  method?: string;
  /** What is sent, and its media type. */
  body?: Buffer;
  type?: string;
  /** A bearer token. */
  token?: string;
  /** Fields of the head beside those. */
  headers?: Readonly<Record<string, string>>;
  timeoutMs?: number;
  /** A longer answer is an error. */
  maxBytes?: number;
  /** Whether a body is read; one that is not is undefined. Default: all are. */
  reads?: (status: number) => boolean;
};
export type JsonAnswer = { status: number; body: unknown };

/** The limit ran out. What was asked may have been done, or be under way. */
export class NoAnswerInTime extends Error {
  override name = 'NoAnswerInTime';
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

const always = (): boolean => true;

/**
 * The status and the parsed body (`undefined` when it is not JSON).
 * Rejects when nobody answers, with `NoAnswerInTime` where it is not within `timeoutMs`, the whole answer included.
 */
export function requestJson(target: JsonTarget, asked: JsonRequest = {}): Promise<JsonAnswer> {
  const { timeoutMs = 5_000, maxBytes = MAX_ANSWER_BYTES, reads = always } = asked;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const fail = (error: Error): void =>
      reject(signal.aborted ? new NoAnswerInTime(`no answer within ${timeoutMs / 1_000} s`) : error);
    const options = { method: asked.method ?? 'GET', agent: false, signal, headers: headersOf(asked) };
    const request = open(target, options, (response) => {
      const status = response.statusCode ?? 0;
      response.once('error', fail);
      if (!reads(status)) {
        resolve({ status, body: undefined });
        response.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) response.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.once('end', () => resolve({ status, body: parse(Buffer.concat(chunks).toString()) }));
    });
    request.once('error', fail);
    request.end(asked.body);
  });
}

function headersOf({ token, type, body, headers = {} }: JsonRequest): Record<string, string | number> {
  return {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(body === undefined ? {} : { 'content-length': body.length }),
    ...headers,
  };
}

function open(
  target: JsonTarget,
  options: http.RequestOptions,
  onResponse: (response: http.IncomingMessage) => void,
): http.ClientRequest {
  if ('socketPath' in target) return http.request({ ...options, ...target }, onResponse);
  const url = new URL(target.url);
  return (url.protocol === 'https:' ? https : http).request(url, options, onResponse);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
