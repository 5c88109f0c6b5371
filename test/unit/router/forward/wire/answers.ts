// Answers of cells for the tests of their reader: well-formed ones and their meaning, and what becomes of them in pieces.
import * as fc from 'fast-check';
import type { AnswerHead } from '../../../../../router/forward/wire/answer-head.ts';
import {
  AnswerParser,
  type AnswerEvents,
  type Asked,
} from '../../../../../router/forward/wire/answer-parser.ts';
import { MalformedAnswer } from '../../../../../router/forward/wire/answer-head.ts';

export const GET: Asked = { method: 'GET', upgrade: false };
export const HEAD: Asked = { method: 'HEAD', upgrade: false };
export const UPGRADE: Asked = { method: 'GET', upgrade: true };

export type Sample = {
  asked: Asked;
  /** As Latin-1. */
  text: string;
  status: number;
  body: string;
  /** It ends where the connection does. */
  endless: boolean;
};

/** What was told of one answer. */
export type Told = {
  heads: AnswerHead[];
  /** As Latin-1. */
  body: string;
  whole: boolean;
  /** What came behind a 101. */
  rest: string | null;
  outcome: 'more' | 'surplus' | 'malformed';
};

/** Hears one answer. Bytes are copied when they are told, as they are lent. */
export class Recorder implements AnswerEvents {
  readonly told: Told = { heads: [], body: '', whole: false, rest: null, outcome: 'more' };
  /** Called with everything that is told. */
  onEvent = (): void => undefined;

  onHead(head: AnswerHead): void {
    this.told.heads.push(head);
    this.onEvent();
  }

  onPart(bytes: Buffer): void {
    if (bytes.length === 0) throw new Error('a part without a byte');
    this.told.body += bytes.toString('latin1');
    this.onEvent();
  }

  onWhole(last: Buffer | null): void {
    this.told.body += last?.toString('latin1') ?? '';
    this.told.whole = true;
    this.onEvent();
  }

  onSwitched(head: AnswerHead, rest: Buffer): void {
    this.told.heads.push(head);
    this.told.rest = rest.toString('latin1');
    this.onEvent();
  }
}

/** Text in pieces of one byte. */
export function bytewise(text: string): string[] {
  return text.split('');
}

/** What every piece is read into, as all connections do: it holds garbage behind the piece, and instead of the one before. */
const SHARED = Buffer.alloc(8_192);
const GARBAGE = Buffer.from('0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'latin1');

/** Feeds one piece from somewhere amid the shared buffer. */
export function feed(parser: AnswerParser, piece: string, at = 7): boolean {
  SHARED.fill(GARBAGE);
  SHARED.write(piece, at, 'latin1');
  try {
    return parser.feed(SHARED, at, at + piece.length);
  } finally {
    SHARED.fill(0x58);
  }
}

/** Text cut at these places. */
export function cut(text: string, places: readonly number[]): string[] {
  const sorted = [0, ...places.map((place) => place % (text.length + 1)), text.length].sort((a, b) => a - b);
  return sorted.slice(1).map((place, i) => text.slice(sorted[i], place));
}

/** Reads the answer to one request, however it is cut. */
export function read(pieces: readonly string[], asked: Asked, ends = false): Told {
  const recorder = new Recorder();
  const { told } = recorder;
  const parser = new AnswerParser(recorder);
  parser.begin(asked);
  try {
    for (const piece of pieces) {
      if (feed(parser, piece)) continue;
      told.outcome = 'surplus';
      return told;
    }
    if (ends) parser.end();
  } catch (error) {
    if (!(error instanceof MalformedAnswer)) throw error;
    told.outcome = 'malformed';
  }
  return told;
}

const interims = fc.array(
  fc.constantFrom(
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n',
    'HTTP/1.1 199\r\nContent-Length: 5\r\n\r\n',
  ),
  { maxLength: 2 },
);
const fields = fc.array(
  fc.constantFrom(
    'Set-Cookie: a=1',
    'X-Name:\xff',
    'Empty:',
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
  ),
  { maxLength: 3 },
);
const bodies = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))
  .chain((random) => fc.constantFrom(random, '', '\r\n', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n'));
const extensions = fc.constantFrom('', '', ';a', ';a=b;c', ';a="b; \\"c\xff"');
const trailers = fc.constantFrom('', 'X-Sum: 1\r\n', 'X-Sum: 1\r\nEmpty:\r\n', 'X-Content-Length: 5\r\n');

function inChunks(body: string, places: readonly number[], extension: string, trailer: string): string {
  const chunks = cut(body, places).filter((chunk) => chunk !== '');
  const written = chunks.map((chunk, i) => {
    const size = chunk.length.toString(16);
    return `${i % 2 === 0 ? size.toUpperCase() : `00${size}`}${extension}\r\n${chunk}\r\n`;
  });
  return `${written.join('')}0${extension}\r\n${trailer}\r\n`;
}

/** Well-formed answers to a GET or a HEAD, with what they mean. */
export const samples: fc.Arbitrary<Sample> = fc
  .record({
    interims,
    fields,
    body: bodies,
    extension: extensions,
    trailer: trailers,
    places: fc.array(fc.nat(300), { maxLength: 4 }),
    asked: fc.constantFrom(GET, GET, GET, HEAD),
    status: fc.constantFrom(200, 200, 200, 404, 500, 205, 204, 304),
    framing: fc.constantFrom('length', 'chunked', 'endless', 'old'),
  })
  .map(({ interims, fields, body, extension, trailer, places, asked, status, framing }) => {
    const bodyless = asked.method === 'HEAD' || status === 204 || status === 304;
    const lines = [`HTTP/1.${framing === 'old' ? 0 : 1} ${status} OK`, ...fields];
    if (framing === 'length') lines.push(`Content-Length: ${body.length}`);
    if (framing === 'chunked') lines.push('Transfer-Encoding: chunked');
    const framed = framing === 'chunked' ? inChunks(body, places, extension, trailer) : body;
    return {
      asked,
      text: `${interims.join('')}${lines.join('\r\n')}\r\n\r\n${bodyless ? '' : framed}`,
      status,
      body: bodyless ? '' : body,
      endless: !bodyless && (framing === 'endless' || framing === 'old'),
    };
  });

const nasty = fc.oneof(
  fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ' ',
    '\t',
    ':',
    ';',
    '0',
    '1',
    'f',
    'F',
    '\0',
    '\xff',
    '-',
    '+',
    ',',
  ),
  fc.constantFrom(
    'HTTP/1.1 ',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'x',
    '204',
    '304',
    '100',
    '101',
  ),
);

/** Text with some of it replaced: mostly little, at any place. */
export function mangled(text: string): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(text.length),
    drops: fc.constantFrom(0, 0, 1, 1, 2, 5),
    puts: nasty,
  });
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      changes.reduce((now, { at, drops, puts }) => now.slice(0, at) + puts + now.slice(at + drops), text),
    );
}
