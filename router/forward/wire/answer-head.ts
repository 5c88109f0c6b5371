// The head of a cell's answer, read as strictly as RFC 9112 is written. Pure.
import { FieldNames } from '../field-names.ts';

/** What a cell sent is no answer, or one that two readers could take for two things. */
export class MalformedAnswer extends Error {
  override name = 'MalformedAnswer';
}

export type AnswerHead = {
  status: number;
  reason: string;
  /** Names and values in turn, as they came. */
  fields: string[];
  /** `Content-Length`, in bytes; null: there is none. */
  length: number | null;
  chunked: boolean;
  /** What its `Connection` fields say, as one list; null: there are none. */
  connection: string | null;
  /** Whether the connection may carry another request. */
  persistent: boolean;
  /** After how long without a request the cell closes the connection, by its `Keep-Alive: timeout=`; null: it does not say. */
  idleMs: number | null;
};

const BEGINNING = 'HTTP/1.';
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const COLON = 0x3a;

/** Whether a byte may be part of a name, and of a value (RFC 9110, sections 5.1 and 5.5). */
const IN_NAME = tableOf(/[!#$%&'*+.^_`|~\w-]/);
const IN_VALUE = tableOf(/[\t\x20-\x7e\x80-\xff]/);

/** Control characters, lines that end in anything but CRLF, and folded ones (RFC 9112, sections 2.2 and 5.2). */
const UNSOUND = /[^\t\r\n\x20-\x7e\x80-\xff]|\r[^\n]|[^\r]\n|\n[\t ]/;
const FIELD = /^[!#$%&'*+.^_`|~\w-]+:[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;
type Framing = 'length' | 'coding' | 'connection' | 'idle';
const FRAMING = new FieldNames<Framing>([
  ['content-length', 'length'],
  ['transfer-encoding', 'coding'],
  ['connection', 'connection'],
  ['keep-alive', 'idle'],
]);

const CLOSES = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const KEEPS = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i;
const IDLE = /(?:^|[,; \t])timeout=(\d{1,9})(?:[,; \t]|$)/i;

/** How many bytes every head begins with alike. */
export const BEGINNING_BYTES = BEGINNING.length;

/** Whether the first bytes of a head, not all of which have come, can not become a sound one. */
export function isBadBeginning(text: string): boolean {
  return isUnsound(text) || !text.startsWith(BEGINNING.slice(0, text.length));
}

/** Whether a part of a head has bytes that no head may have. */
export function isUnsound(text: string): boolean {
  return UNSOUND.test(text);
}

/** Whether a line, without its end, is a field. */
export function isField(line: string): boolean {
  return FIELD.test(line);
}

/**
 * Reads the head in `bytes` from `from` up to `to`, where its empty line begins. Throws `MalformedAnswer`. Byte by byte:
 * measured, regular expressions over its text took twice as long.
 */
export function readAnswerHead(bytes: Buffer, from: number, to: number): AnswerHead {
  const text = bytes.toString('latin1', from, to);
  const lineEnd = endOfLine(bytes, from, to);
  const minor = (bytes[from + 7] ?? 0) - ZERO;
  if (!text.startsWith(BEGINNING) || (minor !== 0 && minor !== 1)) malformed();
  const head: AnswerHead = {
    status: statusOf(bytes, from, lineEnd),
    reason: text.slice(13, lineEnd - from),
    fields: [],
    length: null,
    chunked: false,
    connection: null,
    persistent: false,
    idleMs: null,
  };
  for (let at = lineEnd + 2; at < to;) at = readField(bytes, at, to, text, from, head);
  const { connection, chunked, length } = head;
  // RFC 9112, section 6.3: either of the two could be meant.
  if (chunked && (length !== null || minor === 0)) malformed();
  if (connection === null) head.persistent = minor === 1;
  else if (connection === 'keep-alive') head.persistent = true;
  else head.persistent = !CLOSES.test(connection) && (minor === 1 || KEEPS.test(connection));
  return head;
}

/** Three digits between two spaces, of which the second may be missing with the reason behind it. */
function statusOf(bytes: Buffer, from: number, lineEnd: number): number {
  if (lineEnd - from < 12 || bytes[from + 8] !== SPACE) malformed();
  if (lineEnd - from > 12 && bytes[from + 12] !== SPACE) malformed();
  let status = 0;
  for (let at = from + 9; at < from + 12; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) malformed();
    status = 10 * status + digit;
  }
  return status < 100 ? malformed() : status;
}

/** Reads the field that begins at `at`; answers where the next one does. `text` is the head, which begins at `begin`. */
function readField(
  bytes: Buffer,
  at: number,
  to: number,
  text: string,
  begin: number,
  head: AnswerHead,
): number {
  let colon = at;
  while (colon < to && IN_NAME[bytes[colon] ?? 0] === 1) colon += 1;
  if (colon === at || colon === to || bytes[colon] !== COLON) malformed();
  const end = endOfLine(bytes, colon + 1, to);
  let from = colon + 1;
  let until = end;
  while (from < until && isBlank(bytes[from])) from += 1;
  while (until > from && isBlank(bytes[until - 1])) until -= 1;
  const name = text.slice(at - begin, colon - begin);
  const value = text.slice(from - begin, until - begin);
  head.fields.push(name, value);
  const framing = FRAMING.of(name);
  if (framing !== null) readFraming(framing, value, head);
  return end + 2;
}

/** Where a line ends: with the head, or before a CRLF behind which another line begins, and no folded one. */
function endOfLine(bytes: Buffer, at: number, to: number): number {
  let end = at;
  while (end < to && IN_VALUE[bytes[end] ?? 0] === 1) end += 1;
  if (end === to) return end;
  if (bytes[end] !== CR || bytes[end + 1] !== LF || end + 2 >= to || isBlank(bytes[end + 2])) malformed();
  return end;
}

function readFraming(what: Framing, value: string, head: AnswerHead): void {
  if (what === 'length') {
    // The same length twice is one too many: whoever joins them reads another one.
    if (head.length !== null || !LENGTH.test(value)) malformed();
    head.length = Number(value);
  } else if (what === 'coding') {
    // A coding that nobody has asked for: its bytes would pass for what they are not.
    if (head.chunked || value.toLowerCase() !== 'chunked') malformed();
    head.chunked = true;
  } else if (what === 'connection') {
    head.connection = head.connection === null ? value : `${head.connection}, ${value}`;
  } else {
    const idle = IDLE.exec(value)?.[1];
    if (idle !== undefined)
      head.idleMs = Math.min(head.idleMs ?? Number.POSITIVE_INFINITY, Number(idle) * 1_000);
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function tableOf(allowed: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed.test(String.fromCharCode(byte)) ? 1 : 0));
}

function malformed(): never {
  throw new MalformedAnswer();
}
