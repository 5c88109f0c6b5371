// One HTTP/1.1 connection, one request at a time, bytes in and bytes out: what came back is compared, not believed.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type Answer = {
  status: number;
  /** Of status line and headers, with the empty line. */
  headBytes: number;
  body: Buffer;
};

const HEAD_END = '\r\n\r\n';

export class HttpConnection {
  readonly socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Of the whole answer; 0 until its head is there. */
  #wantedBytes = 0;
  #head = { status: 0, bytes: 0 };
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed without an answer')));
  }

  /** Resolves when the answer is there as a whole. Rejects when it has no `content-length`, or more than that. */
  exchange(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting !== null || this.socket.destroyed) {
        reject(new Error('the connection is busy or closed'));
        return;
      }
      this.#waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#wantedBytes === 0) this.#readHead();
    if (this.#wantedBytes === 0 || this.#receivedBytes < this.#wantedBytes) return;
    const all = Buffer.concat(this.#received);
    const { status, bytes } = this.#head;
    const tooMuch = this.#receivedBytes > this.#wantedBytes;
    this.#received = [];
    this.#receivedBytes = 0;
    this.#wantedBytes = 0;
    if (tooMuch) {
      this.#fail(new Error('more bytes than content-length says'));
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status, headBytes: bytes, body: all.subarray(bytes) });
  }

  #readHead(): void {
    const text = Buffer.concat(this.#received).toString('latin1');
    const end = text.indexOf(HEAD_END);
    if (end === -1) return;
    const bytes = end + HEAD_END.length;
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, bytes))?.[1];
    if (status === undefined || length === undefined) {
      this.#fail(new Error('an answer without a status or a content-length'));
      return;
    }
    this.#head = { status: Number(status), bytes };
    this.#wantedBytes = bytes + Number(length);
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
    this.socket.destroy();
  }
}

/** A connection to a port on loopback; `ca`: TLS, and the PEM that must have signed the server's certificate. */
export async function dial(port: number, ca: string | null): Promise<HttpConnection> {
  return await new Promise((resolve, reject) => {
    const socket =
      ca === null
        ? connect({ port, host: '127.0.0.1' }, () => resolve(new HttpConnection(socket)))
        : connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] }, () =>
            resolve(new HttpConnection(socket)),
          );
    socket.once('error', reject);
  });
}
