// HTTP/1 towards clients: Node's server with every limit said, connections with requests in a row, upgrades.
import { once } from 'node:events';
import {
  createServer,
  ServerResponse,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Bag } from '../bag.ts';
import type { Config } from '../config.ts';
import type { Connections } from '../connections.ts';
import type { Exchange, ExchangeEnd } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import { peerOf, readHead } from '../read-head.ts';
import { fieldOf } from '../request-head.ts';
import type { Gate } from './gate.ts';
import { Http1Client, type Http1Connection } from './http1-client.ts';
import { rawSocketOf } from './raw-sockets.ts';
import type { SecureServer } from './secure-server.ts';

/** How often the time-outs of heads and whole requests are looked at: what they may be late by. */
const LOOK_MS = 1_000;

const HTTP_OPTIONS = {
  requestTimeout: LIMITS.requestMs,
  keepAliveTimeout: LIMITS.idleMs,
  maxHeaderSize: LIMITS.headBytes,
  headersTimeout: LIMITS.headMs,
  connectionsCheckingInterval: LOOK_MS,
  // The app refuses it: the server would go on with what comes behind.
  requireHostHeader: false,
  shouldUpgradeCallback: opensWebSocket,
} satisfies ServerOptions;

export class Http1Front {
  readonly #server: Server;
  readonly #config: Config;
  readonly #gate: Gate;
  readonly #connections: Connections;
  readonly #secure: SecureServer | null;
  /** Sockets that left the HTTP server with an upgrade: it no longer knows them. */
  readonly #upgraded = new Set<Socket>();
  readonly #known = new WeakMap<Socket, Http1Connection>();
  readonly #open = new Bag<Http1Client>();

  /** `secure`: what stands in front of it where TLS is spoken; null: nothing. */
  constructor(config: Config, gate: Gate, connections: Connections, secure: SecureServer | null) {
    this.#config = config;
    this.#gate = gate;
    this.#connections = connections;
    this.#secure = secure;
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      const exchange = this.#exchange(request, response, request.url ?? '');
      if (exchange !== null) this.#gate.serve(exchange);
    };
    const server = secure === null ? createServer(HTTP_OPTIONS, serve) : secure.create(HTTP_OPTIONS, serve);
    this.#server = server;
    // None is left out in silence: one that was could have changed where the body ends.
    server.maxHeadersCount = 0;
    server.on('connection', (socket) => this.#connections.opened(socket));
    // It is told to go on when its body is wanted, see `Exchange.inviteBody`.
    server.on('checkContinue', serve);
    server.on('upgrade', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    // It comes with a bare socket like an upgrade; the app refuses it.
    server.on('connect', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    server.on('clientError', (error, socket) => this.#refuseMalformed(error, socket as Socket));
    server.on('checkExpectation', (request, response) => {
      this.#exchange(request, response, request.url ?? '')?.refuse('expectation-failed', null);
    });
  }

  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  async listen(): Promise<string> {
    const { HOST, PORT } = this.#config;
    this.#server.listen({ host: HOST, port: PORT });
    await once(this.#server, 'listening');
    const { address, port, family } = this.#server.address() as AddressInfo;
    const scheme = this.#secure === null ? 'http' : 'https';
    return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Every answer under way asks its client to close the connection. */
  startDraining(): void {
    for (const client of this.#open) {
      // Of requests in a row on one connection the last one says goodbye: the others would take its answer away.
      if (client.connection.newest === client) client.closeAfterwards();
    }
  }

  /** Stops listening, and resolves when the rest is answered, or cut after `limitMs`. */
  async close(limitMs: number): Promise<void> {
    const server = this.#server;
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, limitMs);
    // One that does not listen has nothing to close; and Node throws where the primary refuses a worker's port after that.
    const closed = server.listening
      ? new Promise<void>((resolve) => server.close(() => resolve()))
      : Promise.resolve();
    // Where the head of an answer promised to keep the connection, it is idle after the answer.
    for (const client of this.#open) client.onClose(() => server.closeIdleConnections());
    await closed;
    clearTimeout(cut);
  }

  /** An upgrade, or CONNECT: the parser has left the socket, and its errors are ours to hear from now on. */
  #serveSocket(request: IncomingMessage, socket: Socket, early: Buffer): void {
    socket.on('error', () => undefined);
    const before = this.#connectionOf(socket).newest;
    if (before !== null && this.#open.has(before)) {
      // A response has the socket still, and a second one can not be given it.
      this.#endBehind(before, socket);
      socket.once('end', () => socket.destroy()).resume();
      return;
    }
    if (before?.keepsConnection === false) {
      socket.destroy();
      return;
    }
    // An ordinary response on the same socket: refusals and answers other than 101 go the ordinary way.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    const exchange = this.#exchange(request, response, request.url ?? '', 'tunnel');
    if (exchange !== null) this.#gate.serve(exchange, early);
  }

  /** Null: the request came behind one whose answer ends the connection, and nobody may see it. */
  #exchange(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
    kind: 'request' | 'tunnel' = 'request',
  ): Exchange | null {
    const connection = this.#connectionOf(request.socket);
    if (connection.newest?.keepsConnection === false) return null;
    // Node's parser drops what came in one piece behind an upgrade that is ignored: it would go on amid something.
    if (this.#gate.draining || fieldOf(request.rawHeaders, 'upgrade') !== null)
      response.shouldKeepAlive = false;
    const head = readHead(request, target, connection.peer);
    const client = new Http1Client(request, response, connection, kind === 'tunnel');
    connection.newest = client;
    this.#open.add(client);
    this.#connections.busy(connection.raw);
    const exchange = this.#gate.open(client, head, kind);
    client.exchange = exchange;
    exchange.onEnd(this.#ended);
    return exchange;
  }

  #connectionOf(socket: Socket): Http1Connection {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const peer = peerOf(socket, this.#config.TRUSTED_PROXIES);
    const connection: Http1Connection = { newest: null, raw: rawSocketOf(socket), peer };
    this.#known.set(socket, connection);
    return connection;
  }

  /** The connection ends with the answer to `last`: what came behind it is not served. */
  #endBehind(last: Http1Client, socket: Socket): void {
    last.closeAfterwards();
    last.onClose(() => socket.destroySoon());
  }

  readonly #ended = ({ exchange }: ExchangeEnd): void => {
    const { client } = exchange;
    if (!(client instanceof Http1Client)) return;
    const { connection } = client;
    this.#open.delete(client);
    if (connection.newest !== client) return;
    this.#connections.quiet(connection.raw);
    if (client.keepsConnection) connection.newest = null;
  };

  /** What the HTTP parser itself refuses ends here; the connection can not be trusted any further. */
  #refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
    const status = statusOf(error);
    const { newest } = this.#connectionOf(socket);
    if (status === null || !socket.writable) socket.destroy();
    else if (newest === null || !this.#open.has(newest)) {
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      socket.destroySoon();
    }
    // The answers before it are still to come, and theirs is the connection until then.
    else if (newest.complete) this.#endBehind(newest, socket);
    else if (newest.exchange?.open === true) newest.exchange.rejected(status);
    else socket.destroy();
  }
}

/**
 * RFC 6455, section 4.1. Any other upgrade is ignored and the request answered as it is (RFC 9110, section 7.8): one
 * with a body as well, because the bytes behind its head are not the WebSocket's.
 */
function opensWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket')
    return false;
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

/** The status that a fault of the parser is answered with; null: the client has left amid a request. */
function statusOf({ code }: NodeJS.ErrnoException): number | null {
  if (code === 'HPE_INVALID_EOF_STATE' || code === 'ECONNRESET') return null;
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}
