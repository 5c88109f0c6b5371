// HTTP/2 frame by frame (RFC 9113): a client library would never send what these tests are about.
import { constants } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import { until } from './wait.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
};
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 };

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEAD_BYTES = 9;

export type Frame = { type: number; flags: number; stream: number; payload: Buffer };

/** It says nothing by itself, but that it has read the router's settings. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  /** Everything that came so far. */
  readonly frames: Frame[] = [];
  closed = false;
  #rest = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#parse(chunk)).on('error', () => undefined);
    socket.once('close', () => (this.closed = true));
  }

  send(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    this.socket.write(frameOf(type, flags, stream, payload));
  }

  /** The head of a GET of tenant `acme`, with more fields if wanted, that is the whole request. */
  ask(stream: number, path: string, more: [string, string][] = []): void {
    this.send(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, headOf('GET', path, more));
  }

  /** The reset's code of a stream, or null. */
  resetOf(stream: number): number | null {
    const frame = this.frames.find((one) => one.type === FRAME.reset && one.stream === stream);
    return frame?.payload.readUInt32BE(0) ?? null;
  }

  /** The last stream and the code of each GOAWAY. */
  goaways(): { last: number; code: number }[] {
    return this.frames
      .filter(({ type }) => type === FRAME.goaway)
      .map(({ payload }) => ({ last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) }));
  }

  /** Waits until the answer on a stream has ended as it should. */
  async untilAnswered(stream: number): Promise<void> {
    await until(`stream ${stream} is answered`, () =>
      this.frames.some(
        (one) => one.stream === stream && one.type <= FRAME.headers && (one.flags & FLAG.endStream) !== 0,
      ),
    );
  }

  async untilClosed(): Promise<void> {
    await until('the connection is closed', () => this.closed);
  }

  close(): void {
    this.socket.destroy();
  }

  #parse(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5);
      if (type === FRAME.settings && (flags & FLAG.ack) === 0) this.send(FRAME.settings, FLAG.ack, 0);
      this.frames.push({ type, flags, stream, payload: this.#rest.subarray(HEAD_BYTES, end) });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** Connects, and says what a client says first. `settings`: name of the setting by its number → value. */
export async function openRawHttp2(
  port: number,
  ca: Buffer,
  settings: Record<number, number> = {},
): Promise<RawHttp2> {
  const socket = connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const client = new RawHttp2(socket);
  socket.write(PREFACE);
  const entries = Object.entries(settings).map(([id, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(Number(id), 0);
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  client.send(FRAME.settings, 0, 0, Buffer.concat(entries));
  return client;
}

/** The setting that says how much of an answer may come before its client allows more. */
export const INITIAL_WINDOW = constants.NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;

function frameOf(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without compression (RFC 7541, section 6.2.2). */
export function headOf(method: string, path: string, more: [string, string][] = []): Buffer {
  const fields: [string, string][] = [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'api.test'],
    [':path', path],
    ['x-tenant-id', 'acme'],
    ...more,
  ];
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), textOf(name), textOf(value)]));
}

/** Section 5.2, and 5.1 for its length. */
function textOf(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length: number[] = [];
  let rest = bytes.length;
  if (rest < 127) length.push(rest);
  else {
    length.push(127);
    for (rest -= 127; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
