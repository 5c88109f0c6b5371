// One request of a client to a router, and what is known by its answer.
import { Agent, request } from 'undici';
import { etagOf, versionIn, type State, type Version } from './ledger.ts';

/** Longer than a router holds a request; after that the client does not know what became of it. */
const ANSWER_LIMIT_MS = 8_000;

export type Call = {
  method: 'GET' | 'POST' | 'PATCH';
  tenant: string;
  path: string;
  key?: string;
  base?: Version;
  body?: Record<string, unknown>;
};

/** How a request ended. Times are milliseconds of `performance.now()`; `status` 0: there was no answer. */
export type Answer = {
  startedMs: number;
  endedMs: number;
  status: number;
  /** `x-cell-id`. */
  cell: string | null;
  /** The order in it, where it is one. */
  order: (Version & State & { id: string }) | null;
  /** The code of a refusal, or the connection's error; null: neither. */
  error: string | null;
};

/** Connections for all clients of a run. */
export function openAgent(): Agent {
  return new Agent({
    connections: 256,
    pipelining: 1,
    headersTimeout: ANSWER_LIMIT_MS,
    bodyTimeout: ANSWER_LIMIT_MS,
  });
}

/** Never throws: a request that fails is an answer, too. */
export async function send(agent: Agent, router: string, call: Call): Promise<Answer> {
  const startedMs = performance.now();
  const failed = { startedMs, status: 0, cell: null, order: null };
  try {
    const answer = await request(`${router}${call.path}`, {
      dispatcher: agent,
      method: call.method,
      headers: headersOf(call),
      body: call.body === undefined ? null : JSON.stringify(call.body),
    });
    const text = await answer.body.text();
    const { etag, 'x-cell-id': cell } = answer.headers;
    const ok = answer.statusCode >= 200 && answer.statusCode < 300;
    return {
      startedMs,
      endedMs: performance.now(),
      status: answer.statusCode,
      cell: typeof cell === 'string' ? cell : null,
      order: ok ? orderIn(text, etag) : null,
      error: ok ? null : codeIn(text),
    };
  } catch (error) {
    const { code } = error as { code?: unknown };
    return { ...failed, endedMs: performance.now(), error: String(code ?? error) };
  }
}

function headersOf({ tenant, key, base, body }: Call): Record<string, string> {
  return {
    'x-tenant-id': tenant,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(base === undefined ? {} : { 'if-match': etagOf(base) }),
  };
}

function orderIn(text: string, etag: unknown): Answer['order'] {
  const { id, quantity, status } = JSON.parse(text) as { id: string; quantity: number; status?: string };
  return { ...versionIn(etag), id, quantity, cancelled: status === 'cancelled' };
}

/** The refusal's own code: `type` ends with it. */
function codeIn(text: string): string {
  try {
    const { type, code } = JSON.parse(text) as { type?: unknown; code?: unknown };
    return String(code ?? type);
  } catch {
    return 'no problem document';
  }
}
