// Broken and half-broken requests, from a seed: whole ones, then bent where intermediaries are known to disagree.
import { Random } from './wire-random.ts';

export type Case = {
  /** What the client sends, as Latin-1. */
  text: string;
  /** In these pieces, with a pause after each. */
  pieces: string[];
  /** How it leaves when it has to: without a word, in the middle of all. */
  reset: boolean;
};

type Message = { line: string; fields: string[]; body: string };
type Bend = (message: Message, random: Random) => void;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'TRACE'] as const;
const HOSTILE = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\x0b',
  '\x7f',
  '\xff',
  '0',
  '\\',
  '"',
  '%',
  '/',
] as const;
const LENGTHS = [
  '0',
  '00',
  '+5',
  '-1',
  '5, 5',
  '0x5',
  '5 ',
  ' 5',
  '5;',
  '1e1',
  '',
  '18446744073709551617',
  '\x0b5',
] as const;
const CODINGS = [
  'chunked', 'Chunked', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'identity', 'xchunked', '"chunked"',
  ',chunked', 'chunked,', '\x0bchunked', 'chunked;a=1', '', 'chu nked', 'gzip', 'chunked\t',
] as const; // prettier-ignore
const NAMES = [
  'Transfer_Encoding',
  'Transfer-Encoding ',
  'Content_Length',
  'Content-Length\t',
  'X_Tenant_Id',
  'X_Cell_Id',
  'X-Cell-Role',
  'X_Forwarded_For',
  'Forwarded',
  'Connection',
  'Keep-Alive',
  'TE',
  'Proxy-Connection',
  'Trailer',
  'Upgrade',
  'Expect',
  '',
] as const;
const VALUES = [
  'evil',
  'close',
  'Upgrade',
  'keep-alive, x-tenant-id',
  'websocket',
  'h2c',
  '100-continue',
  'trailers',
  'chunked',
  '5',
  'a\0b',
  'a\rb',
  'a\nb',
] as const;
const TARGETS = [
  '*',
  '//',
  '/..;/x',
  '/%00',
  '/a?b?c',
  '/.cellgate/serving',
  '/%2e%63ellgate',
  'http://api.test',
  'http://a:b@c/',
  'ftp://x/',
  'api.test:80',
  '/a#b',
  '/\\..\\x',
  '/\xff',
  '',
] as const;
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/11',
  '',
] as const;
const CHUNKS = [
  'fffffffffffffffff\r\n',
  'g\r\n',
  '-1\r\n',
  '5;a=b\r\nhello\r\n',
  '5\nhello\r\n',
  '5 \r\nhello\r\n',
  '0x5\r\nhello\r\n',
  '5\r\nhelloX\r\n',
] as const;
const STRANGERS = [
  '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'SSH-2.0-x\r\n',
  '\r\n\r\n',
  'GET /\r\n',
] as const;

const BENDS: readonly [Bend, ...Bend[]] = [
  (message, random) => message.fields.push(`Content-Length: ${random.pick(LENGTHS)}`),
  (message, random) => message.fields.push(`Transfer-Encoding: ${random.pick(CODINGS)}`),
  (message, random) =>
    message.fields.push(`Transfer-Encoding: chunked`, `Content-Length: ${random.below(50)}`),
  (message, random) => message.fields.push(`${random.pick(NAMES)}: ${random.pick(VALUES)}`),
  (message, random) => message.fields.unshift(`${random.pick(NAMES)}:${random.pick(VALUES)}`),
  (message, random) => message.fields.splice(random.below(message.fields.length + 1), 1),
  (message, random) =>
    message.fields.push(message.fields[random.below(message.fields.length)] ?? 'Host: other.test'),
  (message, random) => message.fields.push(` ${random.pick(VALUES)}`),
  (message, random) => message.fields.push(`X-A: 1${random.pick(['\n', '\r', '\0', '\r\r', '\n\n'])}X-B: 2`),
  (message, random) => message.fields.push(`X-Large: ${'a'.repeat(random.below(70_000))}`),
  (message, random) =>
    message.fields.push(...Array.from({ length: random.below(300) }, (_, i) => `X-${i}: 1`)),
  (message, random) => (message.line = message.line.replace(/ \S* /, () => ` ${random.pick(TARGETS)} `)),
  (message, random) => (message.line = message.line.replace(/HTTP.*$/, () => random.pick(VERSIONS))),
  (message, random) =>
    (message.line = message.line.replace(' ', () => random.pick(['  ', '\t', '', '\r ', ' /x?y ']))),
  (message) => message.fields.push('Connection: Upgrade', 'Upgrade: websocket'),
  (message) => (message.line = 'CONNECT api.test:80 HTTP/1.1'),
  (message) => (message.line = message.line.toLowerCase()),
  (message, random) =>
    (message.line = message.line.replace('/f/', () => `/${'a'.repeat(random.below(20_000))}/f/`)),
  (message, random) => (message.body = random.pick(CHUNKS) + message.body),
  (message, random) =>
    (message.body = `${message.body}0\r\n${random.pick(NAMES)}: ${random.pick(VALUES)}\r\n\r\n`),
  (message, random) => (message.body = message.body.slice(0, random.below(message.body.length + 1))),
  (message) => (message.body = message.body.replaceAll('\r\n', '\n')),
];

/** The case of that number. `host` and `tenant` make the requests ones that the router lets through. */
export function caseOf(seed: number, number: number): Case {
  const random = new Random(Math.imul(seed, 1_000_003) + number);
  const count = 1 + random.below(4);
  let text = '';
  for (let i = 0; i < count; i += 1) text += messageText(random, `${number}/${i}`);
  if (random.chance(0.7)) text += render(plain(`/f/${number}/last`, ['Connection: close']));
  return { text, pieces: piecesOf(text, random), reset: random.chance(0.5) };
}

function messageText(random: Random, token: string): string {
  if (random.chance(0.02)) return random.pick(STRANGERS);
  const message = random.chance(0.5) ? plain(`/f/${token}`, []) : withBody(random, token);
  if (random.chance(0.3)) return render(message);
  const bends = 1 + random.below(2);
  for (let i = 0; i < bends; i += 1) random.pick(BENDS)(message, random);
  const text = render(message);
  return random.chance(0.3) ? withHostileByte(text, random) : text;
}

function plain(target: string, fields: string[]): Message {
  return {
    line: `GET ${target} HTTP/1.1`,
    fields: ['Host: api.test', 'x-tenant-id: acme', ...fields],
    body: '',
  };
}

/** The body is itself a request, that nobody has made. */
function withBody(random: Random, token: string): Message {
  const inner = render(plain(`/smuggled/${token}`, []));
  const message = plain('', []);
  message.line = `${random.pick(METHODS)} /f/${token} HTTP/1.1`;
  if (random.chance(0.5)) {
    message.fields.push(`Content-Length: ${inner.length}`);
    message.body = inner;
  } else {
    message.fields.push('Transfer-Encoding: chunked');
    message.body = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
  }
  return message;
}

function render({ line, fields, body }: Message): string {
  return [line, ...fields, '', body].join('\r\n');
}

function withHostileByte(text: string, random: Random): string {
  const at = random.below(text.length);
  const cut = random.below(3);
  return text.slice(0, at) + random.pick(HOSTILE) + text.slice(at + cut);
}

function piecesOf(text: string, random: Random): string[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(text.length + 1)).sort(
    (a, b) => a - b,
  );
  const ends = [...cuts, text.length];
  return ends.map((end, i) => text.slice(ends[i - 1] ?? 0, end)).filter((piece) => piece !== '');
}
