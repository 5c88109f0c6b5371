// Sends one whole request and takes its answer apart, whatever comes: an answer, half of one, or nothing.
import { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { NO_ANSWER, type Answer } from './soak-answers.ts';
import type { WholeKind } from './soak-kinds.ts';

/** Longer than any answer may take: the longest hold and a slow answer. */
export const HANG_MS = 20_000;

const CHUNK_BYTES = 16_384;
const PROBLEM = 'application/problem+json';

/** One for a whole run: its connections are kept and used again, as those of a balancer in front are. */
export function soakAgent(): Agent {
  return new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000 });
}

/** Never rejects: what went wrong is in the answer. */
export async function sendWhole(
  agent: Agent,
  url: string,
  { method, path, body, chunked, headers, anonymous, closes }: WholeKind,
  tenant: string,
): Promise<Answer> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), HANG_MS);
  try {
    const answer = await request(`${url}${path}`, {
      dispatcher: agent,
      method,
      headers: { ...(!anonymous && { 'x-tenant-id': tenant }), ...headers },
      body: chunked && body !== null ? Readable.from(chunksOf(body)) : body,
      reset: closes,
      signal: limit.signal,
    });
    return await readAnswer(answer, limit.signal);
  } catch (error) {
    return { ...NO_ANSWER, hung: limit.signal.aborted, error: codeOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

async function readAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  limit: AbortSignal,
): Promise<Answer> {
  const parts: Buffer[] = [];
  const { 'x-cell-id': cell, 'content-type': type } = headers;
  const head = { ...NO_ANSWER, status: statusCode, cell: typeof cell === 'string' ? cell : null };
  try {
    for await (const part of body as AsyncIterable<Buffer>) parts.push(part);
  } catch (error) {
    return { ...head, body: Buffer.concat(parts), hung: limit.aborted, error: codeOf(error) };
  }
  const whole = Buffer.concat(parts);
  return { ...head, whole: true, body: whole, code: type === PROBLEM ? codeIn(whole) : null };
}

/** The code of a refusal. Throws where it is none: the router said that it is one. */
export function codeIn(body: Buffer): string {
  return String((JSON.parse(body.toString()) as { code?: unknown }).code);
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name);
}

function* chunksOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += CHUNK_BYTES) yield body.subarray(at, at + CHUNK_BYTES);
}
