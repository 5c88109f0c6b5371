// A client that speaks HTTP/1: Node's request and response, as the steps see them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { InBag } from '../bag.ts';
import type { Client } from '../client.ts';
import type { Exchange } from '../exchange.ts';
import type { Peer } from '../request-head.ts';
import { copyOf } from './copies.ts';
import { hasBody } from '../forward/body-source.ts';
import { resetSocket } from './raw-sockets.ts';

/** Up to this a part of a body is written as a string. */
const JOINED_MOST_BYTES = 16_384;

/** What its requests have in common. */
export type Http1Connection = {
  /**
   * The newest request, while it is under way or was the last one: none comes after one that says goodbye. Any other is
   * forgotten with its end: an idle connection would keep all that belongs to it.
   */
  newest: Http1Client | null;
  /** The TCP connection, where TLS is spoken on it. */
  readonly raw: Socket;
  readonly peer: Peer;
};

export class Http1Client implements Client, InBag {
  inBagAt = -1;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly connection: Http1Connection;
  readonly #upgrade: boolean;
  /** What it is served by. */
  exchange: Exchange | null = null;

  /** `upgrade`: the HTTP server has left the socket to us. */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Http1Connection,
    upgrade: boolean,
  ) {
    this.#request = request;
    this.#response = response;
    this.connection = connection;
    this.#upgrade = upgrade;
  }

  get hasBody(): boolean {
    return hasBody(this.#request);
  }

  get body(): Readable {
    return this.#request;
  }

  get complete(): boolean {
    return this.#request.complete;
  }

  get gone(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed;
  }

  get severed(): boolean {
    return this.#request.socket.destroyed;
  }

  get answered(): boolean {
    return this.#response.writableEnded;
  }

  get read(): number {
    return this.#request.socket.bytesRead;
  }

  get written(): number {
    return this.#request.socket.bytesWritten;
  }

  get untaken(): number {
    return this.#request.socket.writableLength;
  }

  get socket(): Socket | null {
    return this.#upgrade ? this.#response.socket : null;
  }

  /** Whether the connection is to carry further requests. */
  get keepsConnection(): boolean {
    return this.#response.shouldKeepAlive;
  }

  onClose(listener: () => void): void {
    // `close` comes exactly once, however a response ends: sent whole, cut, or left by the client.
    this.#response.on('close', listener);
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener);
  }

  inviteBody(): void {
    this.#response.writeContinue();
  }

  writeHead(status: number, reason: string, headers: string[]): void {
    this.#response.writeHead(status, reason, headers);
  }

  flushHead(): void {
    this.#response.flushHeaders();
  }

  write(part: Buffer): boolean {
    if (part.length <= JOINED_MOST_BYTES) return this.#response.write(part.toString('latin1'), 'latin1');
    const { bytes, done } = copyOf(part);
    return this.#response.write(bytes, done);
  }

  end(last?: Buffer | string): void {
    if (last === undefined || typeof last === 'string') this.#response.end(last);
    // As a string it goes with the head in one write, and needs no other copy.
    else if (last.length <= JOINED_MOST_BYTES) this.#response.end(last.toString('latin1'), 'latin1');
    else {
      this.write(last);
      this.#response.end();
    }
  }

  closeAfterwards(): void {
    this.#response.shouldKeepAlive = false;
  }

  cut(): void {
    this.#response.destroy();
  }

  reset(): void {
    resetSocket(this.#request.socket);
  }
}
