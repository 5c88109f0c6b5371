// HTTP/1.1 on a bare socket: a client library would smooth over what these tests are about.
import { connect, type Socket } from 'node:net';
import { until } from './wait.ts';

export type RawAnswer = {
  status: number;
  /** Names and values as they came, in their order. */
  headers: [string, string][];
  /** As Latin-1: one character a byte. */
  body: string;
  /** False: the connection ended before the answer did. */
  whole: boolean;
  /** Status codes of the interim answers before it. */
  interim: number[];
};

type Parsed = { answer: RawAnswer; bytes: number };

export class RawClient {
  readonly socket: Socket;
  /** What came and was not yet taken by `answer`, as Latin-1. */
  received = '';
  closed = false;
  /** The system's code when the connection broke instead of ending. */
  failure: string | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.failure = error.code ?? error.message));
    socket.once('close', () => (this.closed = true));
  }

  /** Sends text as Latin-1. */
  send(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** The next answer; `method` is what was asked, because an answer to HEAD has no body. */
  async answer(method = 'GET'): Promise<RawAnswer> {
    const parsed = await until('an answer is there', () => {
      // Read before the bytes: whatever came before the end is then there.
      const ended = this.closed;
      const one = parseAnswer(this.received, method, ended);
      if (one === null && ended) throw new NoAnswer(`the connection ended: ${this.failure ?? 'closed'}`);
      return one;
    });
    this.received = this.received.slice(parsed.bytes);
    return parsed.answer;
  }

  async untilReceived(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} is received`, () => this.received.includes(text));
  }

  async untilClosed(): Promise<void> {
    await until('the connection is closed', () => this.closed);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Ends the connection with a reset, as a killed client on a bad line does. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

/** The connection ended without an answer. */
class NoAnswer extends Error {
  override name = 'NoAnswer';
}

export async function openClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return new RawClient(socket);
}

/** Sends `bytes` over a connection of its own and answers what came back. */
export async function ask(port: number, bytes: string): Promise<RawAnswer> {
  const client = await openClient(port);
  try {
    client.send(bytes);
    return await client.answer(bytes.slice(0, bytes.indexOf(' ')));
  } finally {
    client.close();
  }
}

/** The head of a request of tenant `acme` (`line`: `GET /path`), with more fields if wanted. */
export function head(line: string, ...fields: string[]): string {
  return [`${line} HTTP/1.1`, 'Host: api.test', 'x-tenant-id: acme', ...fields, '', ''].join('\r\n');
}

/** Every value of a field, whatever the case of its name. */
export function valuesOf({ headers }: Pick<RawAnswer, 'headers'>, name: string): string[] {
  return headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
}

/** A flat list of names and values (`rawHeaders`) as pairs. */
export function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, raw[i + 1] ?? '']] : []));
}

function parseAnswer(text: string, method: string, ended: boolean): Parsed | null {
  const interim: number[] = [];
  let at = 0;
  for (;;) {
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd === -1) return null;
    const [first = '', ...lines] = text.slice(at, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) throw new Error(`not an answer: ${first}`);
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    if (status >= 200 || status === 101) {
      const start = headEnd + 4;
      const found = status === 101 ? none() : bodyOf(text.slice(start), { status, headers, method, ended });
      if (found === null) return null;
      const { body, whole, bytes } = found;
      return { answer: { status, headers, body, whole, interim }, bytes: start + bytes };
    }
    interim.push(status);
    at = headEnd + 4;
  }
}

type Body = { body: string; whole: boolean; bytes: number };
type About = { status: number; headers: [string, string][]; method: string; ended: boolean };

function none(): Body {
  return { body: '', whole: true, bytes: 0 };
}

/** RFC 9112, section 6.3. Null: more has to come. */
function bodyOf(text: string, about: About): Body | null {
  const { status, method, ended } = about;
  if (method === 'HEAD' || status === 204 || status === 304) return none();
  const cut: Body | null = ended ? { body: text, whole: false, bytes: text.length } : null;
  if (valuesOf(about, 'transfer-encoding').includes('chunked')) return chunkedBody(text) ?? cut;
  const [length] = valuesOf(about, 'content-length');
  if (length === undefined) return ended ? { body: text, whole: true, bytes: text.length } : null;
  const bytes = Number(length);
  return text.length < bytes ? cut : { body: text.slice(0, bytes), whole: true, bytes };
}

function chunkedBody(text: string): Body | null {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const start = lineEnd + 2;
    if (size === 0) {
      const end = text.startsWith('\r\n', start) ? start : text.indexOf('\r\n\r\n', start) + 2;
      return text.length < end + 2 || end < start
        ? null
        : { body: parts.join(''), whole: true, bytes: end + 2 };
    }
    if (text.length < start + size + 2) return null;
    parts.push(text.slice(start, start + size));
    at = start + size + 2;
  }
}
