// The head of a cell's answer, read as strictly as RFC 9112 is written. Pure.

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

/** Control characters, lines that end in anything but CRLF, and folded ones (RFC 9112, sections 2.2 and 5.2). */
const UNSOUND = /[^\t\r\n\x20-\x7e\x80-\xff]|\r[^\n]|[^\r]\n|\n[\t ]/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const BEGINNING = 'HTTP/1.';
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const LENGTH = /^\d{1,15}$/;
const CLOSES = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const KEEPS = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i;
const IDLE = /(?:^|[,; \t])timeout=(\d{1,9})(?:[,; \t]|$)/i;

/** Whether the first bytes of a head, not all of which have come, can not become a sound one. */
export function isBadBeginning(text: string): boolean {
  return UNSOUND.test(text) || !text.startsWith(BEGINNING.slice(0, text.length));
}

/** `text`: all of it as Latin-1, without the empty line. Throws `MalformedAnswer`. */
export function readAnswerHead(text: string): AnswerHead {
  if (UNSOUND.test(text)) throw new MalformedAnswer();
  const lineEnd = endOfLine(text, 0);
  const [, minor, status, reason = ''] = STATUS_LINE.exec(text.slice(0, lineEnd)) ?? malformed();
  const head: AnswerHead = {
    status: Number(status),
    reason,
    fields: [],
    length: null,
    chunked: false,
    connection: null,
    persistent: false,
    idleMs: null,
  };
  for (let at = lineEnd + 2; at < text.length;) at = readField(text, at, head);
  const { connection, chunked, length } = head;
  // RFC 9112, section 6.3: either of the two could be meant.
  if (chunked && (length !== null || minor === '0')) malformed();
  if (connection === null) head.persistent = minor === '1';
  else head.persistent = minor === '1' ? !CLOSES.test(connection) : KEEPS.test(connection);
  return head;
}

/** Reads the field that begins at `at`; answers where the next one does. */
function readField(text: string, at: number, head: AnswerHead): number {
  const end = endOfLine(text, at);
  const colon = text.indexOf(':', at);
  if (colon === -1 || colon > end) malformed();
  const name = text.slice(at, colon);
  if (!TOKEN.test(name)) malformed();
  let from = colon + 1;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  const value = text.slice(from, to);
  head.fields.push(name, value);
  // Four names matter: their lengths spare most fields a lower-case copy of the name.
  const { length } = name;
  if (length === 14 || length === 17 || length === 10) readFraming(name.toLowerCase(), value, head);
  return end + 2;
}

function readFraming(name: string, value: string, head: AnswerHead): void {
  if (name === 'content-length') {
    // The same length twice is one too many: whoever joins them reads another one.
    if (head.length !== null || !LENGTH.test(value)) malformed();
    head.length = Number(value);
  } else if (name === 'transfer-encoding') {
    // A coding that nobody has asked for: its bytes would pass for what they are not.
    if (head.chunked || value.toLowerCase() !== 'chunked') malformed();
    head.chunked = true;
  } else if (name === 'connection') {
    head.connection = head.connection === null ? value : `${head.connection}, ${value}`;
  } else if (name === 'keep-alive') {
    const idle = IDLE.exec(value)?.[1];
    if (idle !== undefined) head.idleMs = Number(idle) * 1_000;
  }
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\r\n', at);
  return end === -1 ? text.length : end;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function malformed(): never {
  throw new MalformedAnswer();
}
