// The heads of both directions: which fields are dropped, which are added, in which order.
import type { Choice } from '../choose-cell.ts';
import { headerOf, listOf, type RequestHead } from '../request-head.ts';
import { encodeHeaderValue } from '../tenant-id.ts';
import { traceparentFrom } from '../telemetry/trace.ts';
import { beginsWith, FieldNames } from './field-names.ts';
import type { AnswerHead } from './wire/answer-head.ts';

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

/** `X_Tenant_Id` becomes `X-Tenant-Id` in many a framework: whatever could pass for a name that matters goes too. */
function passesForReserved(name: string): boolean {
  const plain = name.replaceAll('_', '-').toLowerCase();
  if (OURS.has(plain) || plain.startsWith('x-cell-') || plain.startsWith('x-forwarded-')) return true;
  return plain === 'forwarded' || HOP_BY_HOP.has(plain) || FRAMING.has(plain);
}

const FROM_CLIENT = new FieldNames<'dropped' | 'proxy' | 'trace'>([
  ...[...HOP_BY_HOP, ...OURS, 'host'].map((name) => [name, 'dropped'] as const),
  // What a proxy says of those before it (RFC 7239, and its elder kin): believed of a trusted one alone.
  ['forwarded', 'proxy'],
  ['tracestate', 'trace'],
]);

const FROM_CELL = new FieldNames<'dropped' | 'length'>([
  ...[...HOP_BY_HOP, 'x-cell-id', 'x-request-id'].map((name) => [name, 'dropped'] as const),
  ['content-length', 'length'],
]);

/**
 * What becomes of a client's field: it passes (null), is dropped, or passes where a trusted proxy, or the trace, vouches
 * for it.
 */
function meaningOf(name: string): 'dropped' | 'proxy' | 'trace' | null {
  const meaning = FROM_CLIENT.of(name);
  if (meaning !== null) return meaning;
  // Two families beside: all that is ours, and what could pass for one with dashes.
  if (name.includes('_') && passesForReserved(name)) return 'dropped';
  if (beginsWith(name, 'x-cell-')) return 'dropped';
  return beginsWith(name, 'x-forwarded-') ? 'proxy' : null;
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
 * The fields for the cell, each with its line end: the client's own in their order, then ours. The client's hop-by-hop
 * fields go first, so that a `Connection: x-tenant-id` can not take away what the router adds. As one string: it is
 * written as one.
 */
export function requestFields(passage: Passage): string {
  const { head, tenant, choice } = passage;
  const { rawHeaders, fromTrustedProxy } = head;
  const trace = traceparentFrom(headerOf(head, 'traceparent'));
  const named = namedByConnection(listOf(head, 'connection'));
  let out = '';
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const kind = meaningOf(name);
    if (kind === 'dropped' || (kind === 'proxy' && !fromTrustedProxy)) continue;
    if ((kind === 'trace' && !trace.continues) || named?.has(name.toLowerCase()) === true) continue;
    out += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  if (tenant !== null) out += `x-tenant-id: ${encodeHeaderValue(tenant)}\r\n`;
  out += `${cellFields(choice)}x-cell-deadline: ${passage.deadline}\r\n`;
  if (choice.slot !== null) out += `x-cell-slot: ${choice.slot}\r\n`;
  out += `x-request-id: ${passage.requestId}\r\ntraceparent: ${trace.value}\r\n`;
  return out + forwardedFields(head);
}

/** What was last said of each cell and role: it stays the same until its epoch changes. */
const said = { home: new Map<string, Said>(), guest: new Map<string, Said>() };
type Said = { home: string; epoch: number; fields: string };

function cellFields({ cell, home, role, epoch }: Passage['choice']): string {
  const last = said[role].get(cell);
  if (last !== undefined && last.home === home && last.epoch === epoch) return last.fields;
  const fields = `x-cell-id: ${cell}\r\nx-cell-home: ${home}\r\nx-cell-role: ${role}\r\nx-cell-epoch: ${epoch}\r\n`;
  said[role].set(cell, { home, epoch, fields });
  return fields;
}

/** `X-Forwarded-*` are the router's own words, unless a trusted proxy stands before it. */
function forwardedFields(head: RequestHead): string {
  const { fromTrustedProxy, peer } = head;
  const trusted = (name: string): string | null => (fromTrustedProxy ? headerOf(head, name) : null);
  const before = fromTrustedProxy ? listOf(head, 'x-forwarded-for') : null;
  const proto = trusted('x-forwarded-proto') ?? (head.secure ? 'https' : 'http');
  const host = trusted('x-forwarded-host') ?? head.host;
  const hostField = host === '' ? '' : `x-forwarded-host: ${host}\r\n`;
  const hops = before === null ? peer : `${before}, ${peer}`;
  return `x-forwarded-for: ${hops}\r\nx-forwarded-proto: ${proto}\r\n${hostField}`;
}

/**
 * The header list for the client: the cell's fields in their order and case, without hop-by-hop fields, then ours.
 */
export function answerFields(
  { fields, connection, status }: Pick<AnswerHead, 'fields' | 'connection' | 'status'>,
  cell: string,
  requestId: string,
): string[] {
  const named = namedByConnection(connection);
  // RFC 9110, sections 8.6 and 15.3.6.
  const lengthless = status === 204 || status === 205;
  const out: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const kind = FROM_CELL.of(name);
    if (kind === 'dropped' || (kind === 'length' && lengthless)) continue;
    if (named?.has(name.toLowerCase()) === true) continue;
    out.push(name, fields[i + 1] ?? '');
  }
  out.push('x-cell-id', cell, 'x-request-id', requestId);
  if (status === 205) out.push('content-length', '0');
  return out;
}
