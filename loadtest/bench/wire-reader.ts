// What requests a client has made with its bytes, as RFC 9112 lets a recipient read them: no other may reach a cell.

export type Made = { method: string; target: string; tenant: string; body: string };

export type Reading = {
  made: Made[];
  /** What follows them: nothing, the beginning of another one, or what nobody may read on. */
  rest: 'nothing' | 'more-to-come' | 'unreadable';
  /** The last of them ends the connection. */
  closes: boolean;
};

type Head = { made: Omit<Made, 'body'>; headers: [string, string][]; version: string; end: number };

class Unreadable extends Error {}

/** Runs of spaces, and line ends before a request, are tolerated (sections 2.2 and 3); inside it a bare LF or CR never. */
const LINE = /^([!#$%&'*+.^_`|~\w-]+) +([\x21-\x7e]+) +HTTP\/(1\.[01])$/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const TRAILER = /^[!#$%&'*+.^_`|~\w-]+:[\t\x20-\x7e\x80-\xff]*$/;

/** `text`: all that the client sends, as Latin-1. */
export function readMade(text: string): Reading {
  const made: Made[] = [];
  let at = 0;
  try {
    for (;;) {
      while (text[at] === '\r' || text[at] === '\n') at += 1;
      if (at >= text.length) return { made, rest: 'nothing', closes: false };
      const head = headOf(text, at);
      const body = head && bodyOf(head, text);
      if (!head || !body) return { made, rest: 'more-to-come', closes: false };
      made.push({ ...head.made, body: body.text });
      if (isLast(head)) return { made, rest: 'nothing', closes: true };
      at = body.end;
    }
  } catch (error) {
    if (error instanceof Unreadable) return { made, rest: 'unreadable', closes: false };
    throw error;
  }
}

function headOf(text: string, at: number): Head | null {
  const end = text.indexOf('\r\n\r\n', at);
  if (end === -1) return null;
  const [line = '', ...fields] = text.slice(at, end).split('\r\n');
  const [, method = '', target = '', version = ''] = LINE.exec(line) ?? unreadable();
  const headers = fields.map((field): [string, string] => {
    const [, name = '', value = ''] = FIELD.exec(field) ?? unreadable();
    return [name.toLowerCase(), value.trim()];
  });
  const hosts = headers.filter(([name]) => name === 'host').length;
  if (hosts > 1 || (hosts === 0 && version !== '1.0')) unreadable();
  const tenant = headers.find(([name]) => name === 'x-tenant-id')?.[1] ?? '';
  return { made: { method, target: originForm(target), tenant }, headers, version, end: end + 4 };
}

function originForm(target: string): string {
  const rest = /^https?:\/\/[^/?#]+(.*)$/i.exec(target)?.[1];
  if (rest === undefined) return target;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function bodyOf({ headers, version, end }: Head, text: string): { text: string; end: number } | null {
  const lengths = headers.filter(([name]) => name === 'content-length');
  const codings = headers.filter(([name]) => name === 'transfer-encoding');
  if (lengths.length + codings.length > 1) unreadable();
  if (codings.length === 1) {
    if (version === '1.0' || codings[0]?.[1].toLowerCase() !== 'chunked') unreadable();
    return chunksOf(text, end);
  }
  const length = lengths[0]?.[1] ?? '0';
  if (!/^\d+$/.test(length)) unreadable();
  const bytes = Number(length);
  return text.length < end + bytes ? null : { text: text.slice(end, end + bytes), end: end + bytes };
}

function chunksOf(text: string, start: number): { text: string; end: number } | null {
  const parts: string[] = [];
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const [, hex = ''] =
      /^([0-9a-f]{1,16})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/i.exec(text.slice(at, lineEnd)) ?? unreadable();
    const size = Number.parseInt(hex, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return null;
    if (text.slice(at + size, at + size + 2) !== '\r\n') unreadable();
    parts.push(text.slice(at, at + size));
    at += size + 2;
  }
  const end = afterTrailers(text, at);
  return end === null ? null : { text: parts.join(''), end };
}

function afterTrailers(text: string, start: number): number | null {
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    if (lineEnd === at) return at + 2;
    if (!TRAILER.test(text.slice(at, lineEnd))) unreadable();
    at = lineEnd + 2;
  }
}

/** Whether nothing that follows is a request: the client says goodbye, or leaves HTTP. */
function isLast(head: Head): boolean {
  const { made, version } = head;
  const words = listIn(head, 'connection');
  if (words.includes('close') || made.method === 'CONNECT') return true;
  // Whether the other protocol begins behind it is for the router to say; requests there would be a guess.
  return listIn(head, 'upgrade').length > 0 || (version === '1.0' && !words.includes('keep-alive'));
}

function listIn({ headers }: Head, field: string): string[] {
  return headers
    .filter(([name]) => name === field)
    .flatMap(([, value]) => value.split(','))
    .map((word) => word.trim().toLowerCase());
}

function unreadable(): never {
  throw new Unreadable();
}
