// The header lists of both directions: what is dropped, what is added, in which order.
import type { Choice } from '../choose-cell.ts';
import { headerOf, listOf, type RequestHead } from '../request-head.ts';
import { encodeHeaderValue } from '../tenant-id.ts';
import { traceparentFrom } from '../telemetry/trace.ts';

/** RFC 9110, section 7.6.1, and what stood there in RFC 2616. They end at each hop, whoever names them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/**
 * Whom a message is for and where it ends: no `Connection` header may take these away, and none may come again as
 * `content_length` for a cell that takes `_` for `-`.
 */
const FRAMING = new Set(['host', 'content-length']);

/** Names that the router alone may set towards a cell; `Expect` it has answered itself. */
const OURS = new Set([
  'x-tenant-id',
  'x-request-id',
  'traceparent',
  'expect',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
]);

/** What a header list of the `Connection` kind names, in lower case; null in the ordinary case of nothing special. */
function namedByConnection(value: string | null): Set<string> | null {
  if (value === null || /^(close|keep-alive|upgrade)?$/i.test(value)) return null;
  return new Set(
    value
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => !FRAMING.has(name)),
  );
}

/** `X_Tenant_Id` becomes `X-Tenant-Id` in many a framework: what could pass for one of ours goes too. */
function isReserved(name: string): boolean {
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  if (OURS.has(plain) || plain.startsWith('x-cell-')) return true;
  return plain !== name && (tellsOfProxies(plain) || HOP_BY_HOP.has(plain) || FRAMING.has(plain));
}

/** What a proxy says of those before it (RFC 7239, and its elder kin): believed of a trusted one alone. */
function tellsOfProxies(name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded-');
}

export type Passage = {
  head: RequestHead;
  /** Null on a route without a tenant. */
  tenant: string | null;
  choice: Extract<Choice, { cell: string }>;
  requestId: string;
  /** When the router gives up waiting, in epoch milliseconds. */
  deadline: number;
};

/**
 * The header list for the cell: the client's own fields in their order, then ours. The client's hop-by-hop fields go
 * first, so that a `Connection: x-tenant-id` can not take away what the router adds.
 */
export function requestHeaders(passage: Passage): string[] {
  const { head, tenant, choice } = passage;
  const trace = traceparentFrom(headerOf(head, 'traceparent'));
  const named = namedByConnection(listOf(head, 'connection'));
  const out: string[] = [];
  for (let i = 0; i + 1 < head.rawHeaders.length; i += 2) {
    const original = head.rawHeaders[i] ?? '';
    const name = original.toLowerCase();
    if (HOP_BY_HOP.has(name) || isReserved(name) || named?.has(name) === true) continue;
    if (!head.fromTrustedProxy && tellsOfProxies(name)) continue;
    if (name === 'host' || (name === 'tracestate' && !trace.continues)) continue;
    out.push(original, head.rawHeaders[i + 1] ?? '');
  }
  if (head.host !== '') out.push('host', head.host);
  if (tenant !== null) out.push('x-tenant-id', encodeHeaderValue(tenant));
  out.push('x-cell-id', choice.cell, 'x-cell-home', choice.home, 'x-cell-role', choice.role);
  out.push('x-cell-epoch', String(choice.epoch), 'x-cell-deadline', String(passage.deadline));
  if (choice.slot !== null) out.push('x-cell-slot', String(choice.slot));
  out.push('x-request-id', passage.requestId, 'traceparent', trace.value);
  pushForwarded(out, head);
  return out;
}

/** `X-Forwarded-*` are the router's own words, unless a trusted proxy stands before it. */
function pushForwarded(out: string[], head: RequestHead): void {
  const trusted = (name: string): string | null => (head.fromTrustedProxy ? headerOf(head, name) : null);
  const before = head.fromTrustedProxy ? listOf(head, 'x-forwarded-for') : null;
  out.push('x-forwarded-for', before === null ? head.peer : `${before}, ${head.peer}`);
  out.push('x-forwarded-proto', trusted('x-forwarded-proto') ?? (head.secure ? 'https' : 'http'));
  const host = trusted('x-forwarded-host') ?? head.host;
  if (host !== '') out.push('x-forwarded-host', host);
}

/**
 * The header list for the client: the cell's fields in their order and case, without hop-by-hop fields, then ours.
 * `raw`: names and values in turn, as bytes.
 */
export function responseHeaders(
  raw: readonly Buffer[],
  cell: string,
  requestId: string,
  status = 200,
): string[] {
  const fields = raw.map((part) => part.toString('latin1'));
  const named = namedByConnection(listOf({ rawHeaders: fields }, 'connection'));
  const out: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const original = fields[i] ?? '';
    const name = original.toLowerCase();
    if (HOP_BY_HOP.has(name) || named?.has(name) === true) continue;
    if (name === 'x-cell-id' || name === 'x-request-id') continue;
    // RFC 9110, sections 8.6 and 15.3.6.
    if (name === 'content-length' && (status === 204 || status === 205)) continue;
    out.push(original, fields[i + 1] ?? '');
  }
  out.push('x-cell-id', cell, 'x-request-id', requestId);
  if (status === 205) out.push('content-length', '0');
  return out;
}

/** Whether an answer has a transfer coding other than `chunked`: the bytes behind it are not what they seem. */
export function isOddlyCoded(raw: readonly Buffer[]): boolean {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (isNamed(raw[i], 'transfer-encoding') && !isNamed(raw[i + 1], 'chunked')) return true;
  }
  return false;
}

/** Whether an answer tells how long it is. */
export function saysItsLength(raw: readonly Buffer[]): boolean {
  for (let i = 0; i + 1 < raw.length; i += 2) if (isNamed(raw[i], 'content-length')) return true;
  return false;
}

function isNamed(bytes: Buffer | undefined, name: string): boolean {
  return bytes?.length === name.length && bytes.toString('latin1').toLowerCase() === name;
}
