// Reads HTTP/1.1 requests as strictly as the standard is written: what it takes, every other reader takes the same way.

export type StrictRequest = {
  method: string;
  target: string;
  /** Names and values as they came, in their order. */
  headers: [string, string][];
  /** As Latin-1: one character a byte. */
  body: string;
};

/** `bytes`: how many the request took. */
export type Read = { request: StrictRequest; bytes: number };

/** The bytes are no request of RFC 9112. */
class NotStrict extends Error {
  override name = 'NotStrict';
}

const LINE = /^([!#$%&'*+.^_`|~\w-]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+): ?([\t\x20-\x7e\x80-\xff]*)$/;

/** The first request in `text` (Latin-1), or null when more has to come. Throws `NotStrict`. */
export function readRequest(text: string): Read | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const [, method = '', target = ''] = LINE.exec(line) ?? reject(`the line ${JSON.stringify(line)}`);
  const headers = fields.map((field): [string, string] => {
    const [, name = '', value = ''] = FIELD.exec(field) ?? reject(`the field ${JSON.stringify(field)}`);
    return [name, value];
  });
  const start = end + 4;
  const body = bodyOf(headers, text, start);
  return body && { request: { method, target, headers, body: body.text }, bytes: start + body.bytes };
}

/** All values of a field. */
function valuesIn(headers: StrictRequest['headers'], name: string): string[] {
  return headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
}

function bodyOf(
  headers: StrictRequest['headers'],
  text: string,
  start: number,
): { text: string; bytes: number } | null {
  if (valuesIn(headers, 'host').length !== 1) reject('not one host');
  const lengths = valuesIn(headers, 'content-length');
  const codings = valuesIn(headers, 'transfer-encoding');
  if (lengths.length + codings.length > 1) reject('more than one word on where the body ends');
  const [coding] = codings;
  if (coding !== undefined) return coding === 'chunked' ? chunksOf(text, start) : reject(`coded ${coding}`);
  const [length = '0'] = lengths;
  if (!/^\d{1,15}$/.test(length)) reject(`the length ${length}`);
  const bytes = Number(length);
  return text.length < start + bytes ? null : { text: text.slice(start, start + bytes), bytes };
}

function chunksOf(text: string, start: number): { text: string; bytes: number } | null {
  const parts: string[] = [];
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = text.slice(at, lineEnd);
    if (!/^[0-9a-f]{1,8}$/i.test(line)) reject(`the chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (text.length < at + size + 2) return null;
    if (text.slice(at + size, at + size + 2) !== '\r\n') reject('a chunk that does not end where it says');
    parts.push(text.slice(at, at + size));
    at += size + 2;
    if (size === 0) return { text: parts.join(''), bytes: at - start };
  }
}

function reject(what: string): never {
  throw new NotStrict(what);
}
