// HTTP/2 towards clients: the connections that have agreed on it, from their first stream to the last.
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config.ts';
import type { Connections } from '../connections.ts';
import { peerOf } from '../read-head.ts';
import { headerOf, type Peer } from '../request-head.ts';
import type { Gate } from './gate.ts';
import type { Http2Client } from './http2-client.ts';
import { Http2Connection, type Http2Owner } from './http2-connection.ts';
import { readHttp2Head } from './http2-head.ts';
import { rawSocketOf } from './raw-sockets.ts';

/** How often the connections are looked at: what time-outs may be late by. */
const LOOK_MS = 1_000;

export class Http2Front implements Http2Owner {
  readonly #config: Config;
  readonly #gate: Gate;
  readonly #connections: Connections;
  readonly #open = new Map<Http2Connection, Peer>();
  readonly #timer: NodeJS.Timeout;
  #requests = 0;

  constructor(config: Config, gate: Gate, connections: Connections) {
    this.#config = config;
    this.#gate = gate;
    this.#connections = connections;
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_MS).unref();
  }

  /** Open connections now. */
  get connections(): number {
    return this.#open.size;
  }

  /** Takes a connection whose handshake is done. */
  take(socket: TLSSocket): void {
    const connection = new Http2Connection(socket, this);
    this.#open.set(connection, peerOf(socket, this.#config.TRUSTED_PROXIES));
    socket.once('close', () => this.#open.delete(connection));
  }

  serve(connection: Http2Connection, client: Http2Client, fields: readonly string[]): void {
    const peer = this.#open.get(connection);
    // One connection carries many: without a bound on all of them none on the connections would mean anything.
    if (peer === undefined || this.#requests >= this.#config.MAX_CONNECTIONS) {
      client.refuseUnseen();
      return;
    }
    this.#requests += 1;
    client.onClose(() => (this.#requests -= 1));
    const head = readHttp2Head(fields, peer);
    const exchange = this.#gate.open(client, head, 'request');
    client.exchange = exchange;
    const expects = headerOf(head, 'expect');
    if (expects !== null && expects.toLowerCase() !== '100-continue')
      exchange.refuse('expectation-failed', null);
    else this.#gate.serve(exchange);
    // One that began after the others had been sent away: this was its last request.
    if (this.#gate.draining) connection.leave();
  }

  turned({ socket }: Http2Connection, busy: boolean): void {
    if (busy) this.#connections.busy(rawSocketOf(socket));
    else this.#connections.quiet(rawSocketOf(socket));
  }

  /**
   * Each connection is told to take no further request. One that has none ends; a connection that comes later gets one
   * request. Node offers no notice before it (RFC 9113, section 6.8): a stream that a client has opened in the meantime
   * lies above the last one that was seen, and the client may send it elsewhere.
   */
  startDraining(): void {
    for (const connection of this.#open.keys()) connection.leave();
  }

  /** What is not answered after `limitMs` is cut. The listener itself tells when the last connection has ended. */
  close(limitMs: number): { stop(): void } {
    this.startDraining();
    const cut = setTimeout(() => {
      for (const connection of this.#open.keys()) connection.cut();
    }, limitMs);
    return {
      stop: () => {
        clearTimeout(cut);
        clearInterval(this.#timer);
      },
    };
  }

  #look(nowMs: number): void {
    for (const connection of this.#open.keys()) connection.look(nowMs);
  }
}
