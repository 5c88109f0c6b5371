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
  timeoutMs?: number;
};
export type JsonAnswer = { status: number; body: unknown };

/** The limit ran out. What was asked may have been done, or be under way. */
export class NoAnswerInTime extends Error {
  override name = 'NoAnswerInTime';
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * The status and the parsed body (`undefined` when it is not JSON).
 * Rejects when nobody answers, with `NoAnswerInTime` where it is not within `timeoutMs`, the whole answer included.
 */
export function requestJson(
  target: JsonTarget,
  { method = 'GET', body, type, token, timeoutMs = 5_000 }: JsonRequest = {},
): Promise<JsonAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const headers = {
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(body === undefined ? {} : { 'content-length': body.length }),
    };
    const options = { method, agent: false, signal, headers };
    const request = open(target, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) }),
      );
    });
    request.once('error', (error) =>
      reject(signal.aborted ? new NoAnswerInTime(`no answer within ${timeoutMs / 1_000} s`) : error),
    );
    request.end(body);
  });
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
