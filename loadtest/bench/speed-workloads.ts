// What the bench of the speed asks for: three requests, for as many tenants as there are, and the exact answer to each. Pure.

export type WorkloadId = 'get' | 'post' | 'large';

export type Workload = {
  id: WorkloadId;
  label: string;
  method: 'GET' | 'POST';
  path: string;
  /** The bytes of the request's body; null: none. */
  body: string | null;
  /** Of the answer's body. */
  answerBytes: number;
};

/** Tenants `first`, `first + 1`, … of so many, over again. */
export type Tenants = { first: number; count: number };

export const SMALL_PATH = '/small';
export const LARGE_PATH = '/large';
/** Answers with the body of the request: what a contender has brought can be compared. */
export const ECHO_PATH = '/echo';

const SMALL_BYTES = 128;
const LARGE_BYTES = 65_536;
const POST_BYTES = 1_024;

/** All of one length, so that every answer to one workload has the same size. */
export function tenantOf(index: number): string {
  return `tenant-${String(index).padStart(7, '0')}`;
}

/** What follows the tenant and a space in a small answer. No character that a config file would read as its own. */
export const SMALL_REST = text(SMALL_BYTES - tenantOf(0).length - 1);
export const LARGE_BODY = text(LARGE_BYTES);
const POST_BODY = JSON.stringify({ note: text(POST_BYTES - '{"note":""}'.length) });

export const WORKLOADS: Readonly<Record<WorkloadId, Workload>> = {
  get: {
    id: 'get',
    label: '128 B GET',
    method: 'GET',
    path: SMALL_PATH,
    body: null,
    answerBytes: SMALL_BYTES,
  },
  post: {
    id: 'post',
    label: '1 KiB JSON POST',
    method: 'POST',
    path: SMALL_PATH,
    body: POST_BODY,
    answerBytes: SMALL_BYTES,
  },
  large: {
    id: 'large',
    label: '64 KiB GET',
    method: 'GET',
    path: LARGE_PATH,
    body: null,
    answerBytes: LARGE_BYTES,
  },
};

/** The body of the answer to this tenant: whoever mixes two of them up is found out. */
export function answerTo({ path }: Pick<Workload, 'path'>, tenant: string): string {
  return path === LARGE_PATH ? LARGE_BODY : `${tenant} ${SMALL_REST}`;
}

/** The request as bytes on an HTTP/1.1 connection to `host` (`name:port`). */
export function requestBytes(
  { method, path, body }: Pick<Workload, 'method' | 'path' | 'body'>,
  host: string,
  tenant: string,
): Buffer {
  const typed =
    body === null ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nx-tenant-id: ${tenant}\r\n${typed}\r\n${body ?? ''}`,
  );
}

/** Letters and digits in which no stretch looks like the one before it, so that a piece that is missing shows. */
function text(bytes: number): string {
  let out = '';
  for (let at = 0; out.length < bytes; at += 1) out += `${(at * 7_919).toString(36)}.`;
  return out.slice(0, bytes);
}
