// One client's HTTP/2 connection: its streams become requests, and what it may ask of the router is bounded.
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { LIMITS } from '../limits.ts';
import { Http2Client } from './http2-client.ts';
import { resetSocket } from './raw-sockets.ts';

/** What a connection is part of. */
export type Http2Owner = {
  /** A request has come. */
  serve(connection: Http2Connection, client: Http2Client, fields: readonly string[]): void;
  /** A stream is open on it now, where there was none; or none any more. */
  turned(connection: Http2Connection, busy: boolean): void;
};

const OPTIONS: ServerOptions = {
  settings: {
    maxConcurrentStreams: LIMITS.http2Streams,
    // Beyond it a stream is reset. Up to it, what is too much is told as in HTTP/1.
    maxHeaderListSize: LIMITS.http2HeadBytes,
  },
  maxHeaderListPairs: LIMITS.http2Fields,
  // RFC 9113, section 10.5: whoever opens streams only to reset them is not served (CVE-2023-44487).
  streamResetBurst: LIMITS.http2Resets,
  streamResetRate: LIMITS.http2ResetsPerS,
  maxSessionInvalidFrames: LIMITS.http2Invalid,
  // A cell's head is bounded already, and one that came is passed on.
  maxSendHeaderBlockLength: 4 * LIMITS.cellHeadBytes,
  // What a cell sends twice the client gets twice, as in HTTP/1.
  strictSingleValueFields: false,
};

export class Http2Connection {
  readonly socket: TLSSocket;
  readonly #owner: Http2Owner;
  readonly #session: ServerHttp2Session;
  readonly #clients = new Set<Http2Client>();
  /** Whether a request has come on it. */
  #used = false;
  /** Since when there is no stream on it, and it was asked to go; milliseconds of `performance.now()`. */
  #quietSinceMs = performance.now();
  #leavingSinceMs: number | null = null;
  /** Frames that ask for an answer and belong to no request, since the last look. */
  #asides = 0;

  constructor(socket: TLSSocket, owner: Http2Owner) {
    this.socket = socket;
    this.#owner = owner;
    this.#session = performServerHandshake(socket, OPTIONS);
    this.#session
      // Told by the streams, each by its own `close`.
      .on('error', () => undefined)
      .on('stream', (stream, _, __, fields) => this.#onStream(stream, fields))
      .on('ping', () => this.#onAside())
      .on('remoteSettings', () => this.#onAside());
  }

  /** GOAWAY: what is under way is answered, what comes after it is not seen, and may be sent elsewhere. */
  leave(): void {
    if (this.#leavingSinceMs !== null) return;
    this.#leavingSinceMs = performance.now();
    this.#session.close();
  }

  /** Ends it as it stands. */
  cut(): void {
    // With an error: a stream that ends without one could pass for whole.
    this.#session.destroy(undefined, constants.NGHTTP2_CANCEL);
    resetSocket(this.socket);
  }

  /** To be called every second. */
  look(nowMs: number): void {
    this.#asides = 0;
    for (const client of this.#clients) {
      if (!client.complete && nowMs - client.openedAtMs >= LIMITS.requestMs) giveUp(client);
    }
    if (this.#clients.size > 0) return;
    // Node ends the socket of a session that broke a rule, but waits until its client has read the reason.
    if (this.#session.destroyed) this.#leavingSinceMs ??= nowMs;
    const idleMs = this.#used ? LIMITS.idleMs : LIMITS.headMs;
    if (this.#leavingSinceMs === null) {
      if (nowMs - this.#quietSinceMs >= idleMs) this.leave();
    } else if (nowMs - Math.max(this.#leavingSinceMs, this.#quietSinceMs) >= LIMITS.lingerMs) this.cut();
  }

  #onStream(stream: ServerHttp2Stream, fields: readonly string[]): void {
    const client = new Http2Client(stream);
    this.#used = true;
    // Its client has reset it already, and `close` has been told.
    if (stream.destroyed) return;
    if (this.#clients.size === 0) this.#owner.turned(this, true);
    this.#clients.add(client);
    client.onClose(() => this.#ended(client));
    this.#owner.serve(this, client, fields);
  }

  #ended(client: Http2Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#quietSinceMs = performance.now();
    this.#owner.turned(this, false);
  }

  #onAside(): void {
    this.#asides += 1;
    if (this.#asides > LIMITS.http2Asides)
      this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** Its body takes too long. */
function giveUp(client: Http2Client): void {
  if (client.exchange?.open === true) client.exchange.rejected(constants.HTTP_STATUS_REQUEST_TIMEOUT);
  else client.cut();
}
