// The head of a cell's answer: what is read of it, and what two readers could take for two things.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isBadBeginning,
  MalformedAnswer,
  readAnswerHead,
  type AnswerHead,
} from '../../../../../router/forward/wire/answer-head.ts';

/** `text`: as Latin-1, without the empty line. */
function readHead(text: string): AnswerHead {
  const bytes = Buffer.from(`other${text}\r\n\r\n`, 'latin1');
  return readAnswerHead(bytes, 5, bytes.length - 4);
}

/** A 200 with these field lines. */
function headOf(...lines: string[]): AnswerHead {
  return readHead(['HTTP/1.1 200 OK', ...lines].join('\r\n'));
}

function oldHeadOf(...lines: string[]): AnswerHead {
  return readHead(['HTTP/1.0 200 OK', ...lines].join('\r\n'));
}

test('a head is its status, its reason, and its fields as they came', () => {
  expect(
    readHead('HTTP/1.1 404 Not  Found\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nset-cookie: b=2'),
  ).toEqual({
    status: 404,
    reason: 'Not  Found',
    fields: ['Content-Type', 'text/plain', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2'],
    length: null,
    chunked: false,
    connection: null,
    persistent: true,
    idleMs: null,
  });
});

test.each([
  ['HTTP/1.1 200 OK', 200, 'OK'],
  ['HTTP/1.1 200 ', 200, ''],
  ['HTTP/1.1 200', 200, ''],
  ['HTTP/1.0 200 OK', 200, 'OK'],
  ['HTTP/1.1 299 \xe4\xff', 299, '\xe4\xff'],
  ['HTTP/1.1 200 a\tb', 200, 'a\tb'],
  ['HTTP/1.1 100 Continue', 100, 'Continue'],
  ['HTTP/1.1 999 Odd', 999, 'Odd'],
])('%j is a status line', (line, status, reason) => {
  expect(readHead(line)).toMatchObject({ status, reason, fields: [] });
});

test.each([
  '',
  ' ',
  '\r\n',
  '\r\nHTTP/1.1 200 OK',
  '\nHTTP/1.1 200 OK',
  ' HTTP/1.1 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.2 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/2 200',
  'HTTP/0.9 200 OK',
  'HTTP/1.10 200 OK',
  'HTTP/11.1 200 OK',
  'HTTP/1 200 OK',
  'HTTP/1.1',
  'HTTP/1.1 ',
  'HTTP/1.1 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 000 OK',
  'HTTP/1.1 +20 OK',
  'HTTP/1.1 2e2 OK',
  'HTTP/1.1 200OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 200 O\0K',
  'HTTP/1.1 200 O\x7fK',
  'HTTP/1.1 200 OK\r',
  'HTTP/1.1 200 OK\n',
  'ICY 200 OK',
  'RTSP/1.0 200 OK',
  'GET / HTTP/1.1',
])('%j is no status line', (line) => {
  expect(() => readHead(line)).toThrow(MalformedAnswer);
  expect(() => readHead(`${line}\r\nA: b`)).toThrow(MalformedAnswer);
});

test.each([
  ['A:b', 'A', 'b'],
  ['A: b', 'A', 'b'],
  ['A:\t b \t', 'A', 'b'],
  ['A:', 'A', ''],
  ['A: \t', 'A', ''],
  ['A: b c', 'A', 'b c'],
  ['A: b\tc', 'A', 'b\tc'],
  ['A: b:c', 'A', 'b:c'],
  ['A::', 'A', ':'],
  ['A: \x80\xff', 'A', '\x80\xff'],
  ["!#$%&'*+-.^_`|~09azAZ: b", "!#$%&'*+-.^_`|~09azAZ", 'b'],
])('%j is a field', (line, name, value) => {
  expect(headOf(line).fields).toEqual([name, value]);
  expect(headOf(line, 'X: y').fields).toEqual([name, value, 'X', 'y']);
});

test.each([
  ['no colon', 'A'],
  ['no name', ': b'],
  ['no name and no value', ':'],
  ['a blank before the colon', 'A : b'],
  ['a tab before the colon', 'A\t: b'],
  ['a blank before the name', ' A: b'],
  ['a blank in the name', 'A B: c'],
  ['a name in quotes', '"A": b'],
  ['a name in brackets', '(A): b'],
  ['a slash in the name', 'A/B: c'],
  ['an obs-text in the name', 'A\xff: b'],
  ['a NUL in the name', 'A\0: b'],
  ['a NUL in the value', 'A: b\0c'],
  ['a control character in the value', 'A: b\x01c'],
  ['an escape in the value', 'A: b\x1bc'],
  ['a vertical tab', 'A: b\x0bc'],
  ['a form feed', 'A: b\x0cc'],
  ['a DEL', 'A: b\x7fc'],
  ['a bare CR in the value', 'A: b\rc'],
  ['a bare CR at the end of the value', 'A: b\r'],
  ['a bare CR as the value', 'A:\r'],
  ['a bare LF in the value', 'A: b\nc'],
  ['a bare LF between two fields', 'A: b\nB: c'],
  ['a bare CR between two fields', 'A: b\rB: c'],
  ['a line end the wrong way round', 'A: b\n\rB: c'],
  ['a folded line', 'A: b\r\n c'],
  ['a line folded with a tab', 'A: b\r\n\tc'],
  ['a folded line that is empty', 'A: b\r\n '],
  ['an empty line', ''],
])('%s is no field', (_, line) => {
  expect(() => headOf(line, 'X: y')).toThrow(MalformedAnswer);
  expect(() => headOf('X: y', line, 'X: y')).toThrow(MalformedAnswer);
  if (line !== '') expect(() => headOf('X: y', line)).toThrow(MalformedAnswer);
});

test.each([
  ['0', 0],
  ['5', 5],
  ['005', 5],
  [' 5\t', 5],
  ['999999999999999', 999_999_999_999_999],
])('a length of %j is %i', (value, length) => {
  expect(headOf(`Content-Length:${value}`)).toMatchObject({ length, chunked: false });
  expect(headOf(`CONTENT-LENGTH:${value}`).length).toBe(length);
});

test.each([
  '',
  '+5',
  '-5',
  '5, 5',
  '5,5',
  '5 5',
  '0x5',
  '5e1',
  '5.0',
  '٥',
  '5;',
  '"5"',
  'five',
  'NaN',
  'Infinity',
  '1000000000000000',
  '9007199254740993',
  '18446744073709551621',
  '9'.repeat(400),
])('a length of %j is none', (value) => {
  expect(() => headOf(`Content-Length: ${value}`)).toThrow(MalformedAnswer);
});

test.each([
  ['5', '6'],
  ['5', '5'],
  ['0', '0'],
])('two lengths, %s and %s, are one too many', (one, two) => {
  expect(() => headOf(`Content-Length: ${one}`, `content-length: ${two}`)).toThrow(MalformedAnswer);
});

test.each(['chunked', 'Chunked', 'CHUNKED', '\tchunked '])('a body comes in chunks by %j', (value) => {
  expect(headOf(`Transfer-Encoding:${value}`)).toMatchObject({ chunked: true, length: null });
});

test.each([
  '',
  'gzip',
  'identity',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'chunked,',
  ',chunked',
  'chunked;q=1',
  'xchunked',
  'chunkedx',
  '"chunked"',
  'chun\tked',
])('a coding %j is refused', (value) => {
  expect(() => headOf(`Transfer-Encoding: ${value}`)).toThrow(MalformedAnswer);
});

test('a coding twice is refused', () => {
  expect(() => headOf('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')).toThrow(MalformedAnswer);
  expect(() => headOf('Transfer-Encoding: chunked', 'transfer-encoding: identity')).toThrow(MalformedAnswer);
});

test('a coding and a length are one too many, whichever comes first', () => {
  expect(() => headOf('Transfer-Encoding: chunked', 'Content-Length: 5')).toThrow(MalformedAnswer);
  expect(() => headOf('Content-Length: 5', 'Transfer-Encoding: chunked')).toThrow(MalformedAnswer);
  expect(() => headOf('Content-Length: 0', 'Transfer-Encoding: chunked')).toThrow(MalformedAnswer);
});

test('HTTP/1.0 knows no coding', () => {
  expect(() => oldHeadOf('Transfer-Encoding: chunked')).toThrow(MalformedAnswer);
});

test.each(['Content_Length: 5', 'X-Content-Length: 5', 'Content-Lengthy: 5', 'Transfer_Encoding: chunked'])(
  '%j frames nothing',
  (line) => expect(headOf(line)).toMatchObject({ length: null, chunked: false }),
);

test.each([
  [[], true],
  [['Connection: close'], false],
  [['connection: CLOSE'], false],
  [['Connection: keep-alive'], true],
  [['Connection: keep-alive, close'], false],
  [['Connection: close, keep-alive'], false],
  [['Connection: x-a,\tclose ,x-b'], false],
  [['Connection: x-a', 'Connection: close'], false],
  [['Connection: close', 'Connection: x-a'], false],
  [['Connection: closed'], true],
  [['Connection: x-close'], true],
  [['Connection: close x'], true],
  [['Connection:'], true],
  [['Proxy-Connection: close'], true],
])('an HTTP/1.1 answer with %j may be followed by another: %s', (lines, persistent) => {
  expect(headOf(...lines).persistent).toBe(persistent);
});

test.each([
  [[], false],
  [['Connection: close'], false],
  [['Connection: keep-alive'], true],
  [['Connection: Keep-Alive'], true],
  [['Connection: x-a, keep-alive'], true],
  [['Connection: x-a', 'Connection: keep-alive'], true],
  [['Connection: keep-alive, close'], false],
  [['Connection: close', 'Connection: keep-alive'], false],
  [['Connection: keep-alived'], false],
  [['Keep-Alive: timeout=5'], false],
  [['Proxy-Connection: keep-alive'], false],
])('an HTTP/1.0 answer with %j may be followed by another: %s', (lines, persistent) => {
  expect(oldHeadOf(...lines).persistent).toBe(persistent);
});

test('all Connection fields are one list', () => {
  expect(headOf('Connection: a', 'X: y', 'connection: b, c').connection).toBe('a, b, c');
});

test.each([
  ['timeout=5', 5_000],
  ['timeout=5, max=100', 5_000],
  ['max=100, timeout=5', 5_000],
  ['max=100,timeout=5', 5_000],
  ['TIMEOUT=5', 5_000],
  ['timeout=0', 0],
  ['timeout=05', 5_000],
  ['timeout=999999999', 999_999_999_000],
  ['', null],
  ['5', null],
  ['max=100', null],
  ['timeout=', null],
  ['timeout', null],
  ['timeout=-5', null],
  ['timeout=five', null],
  ['timeout=5s', null],
  ['timeout=1.5', null],
  ['xtimeout=5', null],
  ['timeout=9999999999', null],
])('Keep-Alive: %s is a limit of %s', (value, idleMs) => {
  expect(headOf(`Keep-Alive: ${value}`).idleMs).toBe(idleMs);
});

test('of several limits the shortest counts', () => {
  expect(headOf('Keep-Alive: timeout=5', 'Keep-Alive: timeout=60').idleMs).toBe(5_000);
  expect(headOf('Keep-Alive: timeout=60', 'Keep-Alive: timeout=5').idleMs).toBe(5_000);
  expect(headOf('Keep-Alive: timeout=60', 'Keep-Alive: max=5').idleMs).toBe(60_000);
});

test('every beginning of a sound head may become one', () => {
  const head = 'HTTP/1.1 200 \xe4\r\nA: b\r\nContent-Length: 5\r\n\r\n';
  for (let length = 1; length < head.length; length += 1) {
    expect(isBadBeginning(head.slice(0, length))).toBe(false);
  }
});

test.each(['h', 'HTTQ', 'HTTP/2', 'SSH-2.0', '\r\n', '\n', ' ', 'HTTP/1.1 200\n', 'HTTP/1.1 200 OK\r\nA\0'])(
  '%j becomes no head any more',
  (text) => expect(isBadBeginning(text)).toBe(true),
);

test('whatever is read, nothing is thrown but that it is malformed, and no field has a line end in it', () => {
  const part = fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    ' ',
    '\t',
    ':',
    'A',
    '\0',
    '\xff',
    'Content-Length: 5',
    ',',
    '5',
  );
  const texts = fc.array(part, { maxLength: 12 }).map((parts) => `HTTP/1.1 200 OK\r\n${parts.join('')}`);
  fc.assert(
    fc.property(texts, (text) => {
      let head: AnswerHead | null = null;
      try {
        head = readHead(text);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedAnswer);
      }
      for (const field of head?.fields ?? []) expect(field).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
    }),
    { numRuns: 2_000 },
  );
});
