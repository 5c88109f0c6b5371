// Where answers begin and end on a connection, however their bytes come.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MalformedAnswer, type AnswerHead } from '../../../../../router/forward/wire/answer-head.ts';
import { AnswerParser } from '../../../../../router/forward/wire/answer-parser.ts';
import { LIMITS } from '../../../../../router/limits.ts';
import { bytewise, cut, feed, GET, HEAD, mangled, read, Recorder, samples, UPGRADE } from './answers.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const places = fc.array(fc.nat(1_000), { maxLength: 12 });

function headsOf(heads: readonly AnswerHead[]): [number, string[]][] {
  return heads.map(({ status, fields }) => [status, fields]);
}

test('however the bytes of answers in a row are cut, the same heads and bodies come', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(samples, places), { minLength: 1, maxLength: 4 }), (row) => {
      let recorder = new Recorder();
      const parser = new AnswerParser({
        onHead: (head) => recorder.onHead(head),
        onPart: (bytes) => recorder.onPart(bytes),
        onWhole: (last) => recorder.onWhole(last),
        onSwitched: (head, rest) => recorder.onSwitched(head, rest),
      });
      for (const [{ asked, text, status, body, endless }, places] of row) {
        recorder = new Recorder();
        parser.begin(asked);
        for (const piece of cut(text, places)) expect(feed(parser, piece)).toBe(true);
        expect([recorder.told.whole, parser.idle]).toEqual([!endless, !endless]);
        expect(parser.end()).toBe(endless);
        const { heads, body: told, whole } = recorder.told;
        expect([heads.map((head) => head.status), told, whole]).toEqual([[status], body, true]);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('byte by byte nothing changes', () => {
  fc.assert(
    fc.property(samples, ({ asked, text, body }) => {
      expect(read(bytewise(text), asked, true)).toMatchObject({ body, whole: true, outcome: 'more' });
    }),
    { numRuns: 100 },
  );
});

test('whatever comes instead of an answer ends in the same way, however it is cut', () => {
  const cases = samples.chain((sample) =>
    fc.tuple(fc.constant(sample.asked), fc.constantFrom(true, false), mangled(sample.text), places),
  );
  fc.assert(
    fc.property(cases, ([asked, ends, text, places]) => {
      const [whole, pieces] = [read([text], asked, ends), read(cut(text, places), asked, ends)];
      expect({ ...pieces, heads: headsOf(pieces.heads) }).toEqual({ ...whole, heads: headsOf(whole.heads) });
    }),
    { numRuns: 5_000 },
  );
});

test('no more of a body comes than its head has told of, and nothing once it was whole', () => {
  const cases = samples.chain(({ asked, text }) => fc.tuple(fc.constant(asked), mangled(text), places));
  fc.assert(
    fc.property(cases, ([asked, text, places]) => {
      const { heads, body, whole, outcome } = read([...cut(text, places), 'surplus'], asked);
      const [head] = heads;
      expect(heads.length).toBeLessThanOrEqual(1);
      if (head === undefined) expect(body).toBe('');
      if (whole) expect(outcome).toBe('surplus');
      if (head === undefined || head.length === null) return;
      expect(body.length).toBeLessThanOrEqual(head.length);
      const bodyless = asked.method === 'HEAD' || head.status === 204 || head.status === 304;
      if (whole) expect(body.length).toBe(bodyless ? 0 : head.length);
    }),
    { numRuns: 5_000 },
  );
});

test('bytes that no request has asked for are told, and nothing is read of them', () => {
  const recorder = new Recorder();
  const parser = new AnswerParser(recorder);
  expect(feed(parser, `${OK}\r\n`)).toBe(false);
  expect(recorder.told.heads).toEqual([]);
});

test.each([
  ['a length', `${OK}Content-Length: 1\r\n\r\nx`, GET],
  ['no body', `${OK}Content-Length: 0\r\n\r\n`, GET],
  ['chunks', `${CHUNKED}1\r\nx\r\n0\r\n\r\n`, GET],
  ['a HEAD', `${OK}Content-Length: 5\r\n\r\n`, HEAD],
  ['a HEAD without a length', `${OK}\r\n`, HEAD],
  ['a HEAD by chunks', CHUNKED, HEAD],
  ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', GET],
  ['a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', GET],
])('what comes behind an answer with %s is surplus, in one piece with it or later', (_, text, asked) => {
  for (const surplus of ['\r\n', 'x', `${OK}Content-Length: 6\r\n\r\npoison`]) {
    for (const pieces of [[text + surplus], [text, surplus]]) {
      const told = read(pieces, asked);
      expect([told.heads.length, told.whole, told.outcome]).toEqual([1, true, 'surplus']);
      expect(told.body).not.toContain('poison');
    }
  }
});

test.each([
  ['204', 'Content-Length: 5'],
  ['304', 'Content-Length: 5'],
  ['204', 'Transfer-Encoding: chunked'],
  ['304', 'Transfer-Encoding: chunked'],
])(
  'a %s with %s may be followed by a body all the same: nothing else comes on its connection',
  (status, line) => {
    const { heads } = read([`HTTP/1.1 ${status} X\r\n${line}\r\n\r\n`], GET);
    expect(heads[0]?.persistent).toBe(false);
    const { heads: plain } = read([`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`], GET);
    expect(plain[0]?.persistent).toBe(true);
  },
);

test('a HEAD is answered with the length that a GET would have, and the connection goes on', () => {
  expect(read([`${OK}Content-Length: 5\r\n\r\n`], HEAD).heads[0]?.persistent).toBe(true);
});

test('interim answers are dropped, whatever they say of a body', () => {
  const told = read(
    [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102\r\nContent-Length: 5\r\n\r\n${OK}Content-Length: 1\r\n\r\nx`],
    GET,
  );
  expect(told).toMatchObject({ body: 'x', whole: true });
  expect(told.heads).toHaveLength(1);
});

test.each(['HTTP/1.0 100 Continue', 'HTTP/1.1 100 Continue\r\nConnection: close'])(
  'an interim answer that is the last of its connection is none: %j',
  (interim) => {
    const told = read([`${interim}\r\n\r\n${OK}Content-Length: 0\r\n\r\n`], GET);
    expect(told).toMatchObject({ heads: [], outcome: 'malformed' });
  },
);

test('interim answers without end are no answer', () => {
  const recorder = new Recorder();
  const parser = new AnswerParser(recorder);
  parser.begin(GET);
  const many = 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100);
  const flood = (): void => {
    for (let bytes = 0; bytes <= LIMITS.cellHeadBytes; bytes += many.length) feed(parser, many);
  };
  expect(flood).toThrow(MalformedAnswer);
  parser.begin(GET);
  expect(feed(parser, many)).toBe(true);
});

test('a 101 that was asked for hands over what is behind it', () => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n';
  expect(read([`${switching}\x81\x00`], UPGRADE)).toMatchObject({ rest: '\x81\x00', outcome: 'more' });
  expect(read([switching.slice(0, 30), switching.slice(30)], UPGRADE)).toMatchObject({ rest: '' });
  expect(read([`HTTP/1.1 103\r\n\r\n${switching}`], UPGRADE)).toMatchObject({ rest: '' });
});

test('behind a 101 nothing is read as HTTP', () => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  expect(read([switching, `${OK}\r\n`], UPGRADE)).toMatchObject({ rest: '', outcome: 'more', whole: false });
});

test('a 101 that was not asked for, or is for something else, is refused', () => {
  const start = 'HTTP/1.1 101 Switching Protocols\r\n';
  expect(read([`${start}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`], GET).outcome).toBe('malformed');
  for (const fields of ['', 'Connection: Upgrade\r\n', 'Connection: Upgrade\r\nUpgrade: h2c\r\n']) {
    const told = read([`${start}${fields}\r\n`], UPGRADE);
    expect([told.outcome, told.rest]).toEqual(['malformed', null]);
  }
});

test.each([
  ['no size', '\r\n'],
  ['an extension alone', ';a\r\n'],
  ['a sign', '+1\r\nx\r\n'],
  ['a minus', '-1\r\nx\r\n'],
  ['a prefix', '0x1\r\nx\r\n'],
  ['a blank before it', ' 1\r\nx\r\n'],
  ['a blank behind it', '1 \r\nx\r\n'],
  ['something behind it', '1 1\r\nx\r\n'],
  ['a letter too many', '1g\r\nx\r\n'],
  ['a bare LF', '1\nx\r\n'],
  ['a bare CR', '1\rx\r\n'],
  ['a CR too many', '1\r\r\nx\r\n'],
  ['a blank before its extension', '1 ;a\r\nx\r\n'],
  ['a blank in its extension', '1; a\r\nx\r\n'],
  ['an extension without a name', '1;\r\nx\r\n'],
  ['an extension without an end', '1;a="b\r\nx\r\n'],
  ['a NUL in its extension', '1;\0\r\nx\r\n'],
  ['a bare CR in its extension', '1;a\rb\r\nx\r\n'],
  ['more bits than a number has', '100000000000000\r\nx\r\n'],
  ['so many bits that it wraps', '10000000000000001\r\nx\r\n'],
])('a chunk whose size has %s is refused', (_, text) => {
  expect(read([CHUNKED + text], GET)).toMatchObject({ outcome: 'malformed', body: '' });
});

test.each([
  ['nothing', '1\r\nx0\r\n\r\n'],
  ['a bare LF', '1\r\nx\n0\r\n\r\n'],
  ['a bare CR', '1\r\nx\r0\r\n\r\n'],
  ['one byte too many', '1\r\nxy\r\n0\r\n\r\n'],
])('a chunk that ends in %s is refused', (_, text) => {
  expect(read([CHUNKED + text], GET)).toMatchObject({ outcome: 'malformed', body: 'x', whole: false });
});

test.each([
  ['ends in a bare LF', 'A: b\n\r\n'],
  ['is a bare LF', '\n'],
  ['has no colon', 'A\r\n\r\n'],
  ['has no name', ': b\r\n\r\n'],
  ['has a blank before its colon', 'A : b\r\n\r\n'],
  ['is folded', 'A: b\r\n c\r\n\r\n'],
  ['has a bare CR', 'A: b\rc\r\n\r\n'],
  ['ends in a CR too many', 'A: b\r\r\n\r\n'],
  ['has a NUL', 'A: \0\r\n\r\n'],
  ['is a length', 'content-length: 5\r\n\r\n'],
  ['is a coding', 'Transfer-Encoding: chunked\r\n\r\n'],
  ['is the next answer', `${OK}\r\n`],
])('a trailer that %s is refused', (_, text) => {
  expect(read([`${CHUNKED}1\r\nx\r\n0\r\n${text}`], GET)).toMatchObject({
    outcome: 'malformed',
    whole: false,
  });
});

test('a head without end is refused at its limit, in one piece or in many', () => {
  const line = `A: ${'b'.repeat(995)}\r\n`;
  for (const size of [line.length, 7]) {
    const recorder = new Recorder();
    const parser = new AnswerParser(recorder);
    parser.begin(GET);
    feed(parser, OK);
    let sent = OK.length;
    const endless = (): void => {
      for (; sent < 2 * LIMITS.cellHeadBytes; sent += line.length) {
        for (let at = 0; at < line.length; at += size) feed(parser, line.slice(at, at + size));
      }
    };
    expect(endless).toThrow(MalformedAnswer);
    expect(sent).toBeLessThanOrEqual(LIMITS.cellHeadBytes);
  }
});

test('a head as long as may be is read', () => {
  const fields = `A: ${'b'.repeat(LIMITS.cellHeadBytes - OK.length - 3)}`;
  const pieces = cut(
    `${OK}${fields}\r\n\r\n`,
    [4_000, 8_000, 15_000, 20_000, 27_000, 34_000, 41_000, 48_000, 55_000, 62_000],
  );
  expect(read(pieces, HEAD)).toMatchObject({ whole: true, outcome: 'more' });
  const tooLong = [...pieces.slice(0, -1), `x${pieces.at(-1)}`];
  expect(read(tooLong, HEAD)).toMatchObject({ whole: false, outcome: 'malformed' });
});

test('a head that can not become one is refused before its end has come', () => {
  for (const text of ['SSH-2.0', 'HTTP/2.0', `${OK}A: b\nC`, `${OK}A: b\r\n c`, `${OK}A\0`]) {
    expect(read([text], GET).outcome).toBe('malformed');
    expect(read(bytewise(text), GET).outcome).toBe('malformed');
  }
});

test('the size of a chunk and its extensions are refused beyond their limit', () => {
  expect(read([`${CHUNKED}1;${'a'.repeat(1_000)}\r\nx`], GET)).toMatchObject({ body: 'x', outcome: 'more' });
  expect(read([`${CHUNKED}1;${'a'.repeat(1_100)}`], GET).outcome).toBe('malformed');
  expect(read([CHUNKED, '1;', ...bytewise('a'.repeat(1_100))], GET).outcome).toBe('malformed');
  expect(read([`${CHUNKED}${'0'.repeat(1_100)}`], GET).outcome).toBe('malformed');
});

test('trailers are dropped, and refused beyond their limit', () => {
  const some = read([`${CHUNKED}1\r\nx\r\n0\r\nA: b\r\nX-Length: 7\r\n\r\n`], GET);
  expect(some).toMatchObject({ body: 'x', whole: true, outcome: 'more' });
  const line = `A: ${'b'.repeat(100)}\r\n`;
  expect(read([`${CHUNKED}0\r\n`, ...Array.from({ length: 200 }, () => line)], GET).outcome).toBe(
    'malformed',
  );
});

test('once it is stopped nothing more is told, of the piece that is being read neither', () => {
  fc.assert(
    fc.property(samples, places, fc.nat(5), ({ asked, text }, places, until) => {
      const recorder = new Recorder();
      const parser = new AnswerParser(recorder);
      let events = 0;
      recorder.onEvent = () => {
        events += 1;
        if (events === until + 1) parser.stop();
        expect(events).toBeLessThanOrEqual(until + 1);
      };
      parser.begin(asked);
      for (const piece of cut(text, places)) expect(feed(parser, piece)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('the end of a connection is the end of an answer only where nothing else tells of one', () => {
  for (const text of [
    '',
    OK,
    `${OK}Content-Length: 2\r\n\r\nx`,
    `${CHUNKED}1\r\nx`,
    `${CHUNKED}1\r\nx\r\n0\r\n`,
  ]) {
    expect(read([text], GET, true).whole).toBe(false);
  }
  expect(read([`${OK}\r\n`], GET, true)).toMatchObject({ body: '', whole: true });
  expect(read([`${OK}\r\nx`], GET, true)).toMatchObject({ body: 'x', whole: true });
});
