// Cells on bare sockets, and what becomes of the requests that are sent to them.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import { BodySource } from '../../../../../router/forward/body-source.ts';
import type { AnswerHead } from '../../../../../router/forward/wire/answer-head.ts';
import type {
  CellConnection,
  CellRequest,
  Sending,
} from '../../../../../router/forward/wire/cell-connection.ts';
import { CellPool } from '../../../../../router/forward/wire/cell-pool.ts';
import { plainNetwork } from '../../../../support/network.ts';
import { until } from '../../../../support/wait.ts';

export const OK = 'HTTP/1.1 200 OK\r\n';

export function answerOf(body: string, ...fields: string[]): string {
  return [`HTTP/1.1 200 OK`, ...fields, `Content-Length: ${body.length}`, '', body].join('\r\n');
}

/** One connection, as the cell sees it. */
export type Peer = { socket: Socket; received: string; ended: boolean; closed: boolean };

export type RawCell = { port: number; peers: Peer[]; close(): void };

/**
 * Starts one that calls `heard` with each piece that it reads. It keeps its half of a connection open until it is
 * told otherwise.
 */
export async function startRawCell(heard: (peer: Peer, piece: string) => void): Promise<RawCell> {
  const peers: Peer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer: Peer = { socket, received: '', ended: false, closed: false };
    peers.push(peer);
    socket.on('error', () => undefined);
    socket.on('end', () => (peer.ended = true)).on('close', () => (peer.closed = true));
    socket.on('data', (bytes: Buffer) => {
      const piece = bytes.toString('latin1');
      peer.received += piece;
      heard(peer, piece);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const { socket } of peers) socket.destroy();
  };
  onTestFinished(close);
  return { port: (server.address() as AddressInfo).port, peers, close };
}

/** Starts one that says this as soon as it has read a head. */
export async function startSaying(...says: (string | ((peer: Peer) => void))[]): Promise<RawCell> {
  let at = 0;
  return await startRawCell((peer, piece) => {
    if (!piece.endsWith('\r\n\r\n')) return;
    const next = says[Math.min(at, says.length - 1)];
    at += 1;
    if (typeof next === 'string') peer.socket.write(next, 'latin1');
    else next?.(peer);
  });
}

export function poolTo(port: number, connectTimeoutMs = 10_000): CellPool {
  const pool = new CellPool(`http://127.0.0.1:${port}`, plainNetwork(), connectTimeoutMs);
  onTestFinished(() => pool.destroy());
  return pool;
}

/** What was told of one sending. What is lent is copied as it comes. */
export class Outcome implements Sending {
  sent = 0;
  head: AnswerHead | null = null;
  body = '';
  whole = false;
  failure: Error | null = null;
  switched: { socket: Socket; rest: string } | null = null;
  /** Everything that was told, in its order. */
  readonly told: string[] = [];
  /** Called after everything that is told. */
  onTold: (what: string) => void = () => undefined;

  /** Whether it has come to its end. */
  get over(): boolean {
    return this.whole || this.failure !== null || this.switched !== null;
  }

  onSent(): void {
    this.sent += 1;
    this.#tell('sent');
  }

  onAnswer(head: AnswerHead): void {
    this.head = head;
    this.#tell('answer');
  }

  onPart(bytes: Buffer): void {
    this.body += bytes.toString('latin1');
    this.#tell('part');
  }

  onWhole(last: Buffer | null): void {
    this.body += last?.toString('latin1') ?? '';
    this.whole = true;
    this.#tell('whole');
  }

  onSwitched(_: AnswerHead, socket: Socket, rest: Buffer): void {
    this.switched = { socket, rest: rest.toString('latin1') };
    this.#tell('switched');
  }

  onFailed(error: Error): void {
    this.failure = error;
    this.#tell('failed');
  }

  async end(): Promise<this> {
    await until('the sending has come to its end', () => this.over);
    return this;
  }

  #tell(what: string): void {
    this.told.push(what);
    this.onTold(what);
  }
}

export type Ask = Partial<CellRequest> & { body?: BodySource; outcome?: Outcome };

/** Sends a request whose head is a GET of `/` unless it is another one. */
export function ask(
  connection: CellConnection,
  { body, outcome = new Outcome(), ...request }: Ask = {},
): Outcome {
  const head = 'GET / HTTP/1.1\r\nhost: cell.test\r\n\r\n';
  const plain = { method: 'GET', upgrade: false, chunked: false, length: null, timeoutMs: 30_000, head };
  const asked = { ...plain, ...request };
  connection.send(asked, body ?? null, outcome);
  return outcome;
}

/** The head of a POST; `length`: null for chunks. */
export function post(length: number | null): Pick<CellRequest, 'method' | 'head' | 'chunked' | 'length'> {
  const framing = length === null ? 'transfer-encoding: chunked' : `content-length: ${length}`;
  const head = `POST / HTTP/1.1\r\nhost: cell.test\r\n${framing}\r\n\r\n`;
  return { method: 'POST', head, chunked: length === null, length };
}

/** A client's body that the test writes. */
export function bodyFrom(
  stream = new PassThrough(),
  maxBytes: number | null = null,
): { stream: PassThrough; body: BodySource } {
  const client = {
    body: stream,
    get complete() {
      return stream.readableEnded;
    },
  };
  return { stream, body: new BodySource(client, { maxBytes, replayBytes: 65_536 }) };
}
