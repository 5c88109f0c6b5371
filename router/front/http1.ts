// HTTP/1 towards clients: fastify's server with every limit said, connections with requests in a row, upgrades.
import {
  METHODS,
  ServerResponse,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyServerFactory } from 'fastify';
import type { Config } from '../config.ts';
import type { Connections } from '../connections.ts';
import type { Exchange } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import { readHead } from '../read-head.ts';
import type { Gate } from './gate.ts';
import { Http1Client } from './http1-client.ts';
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
  readonly #fastify: FastifyInstance;
  readonly #config: Config;
  readonly #gate: Gate;
  readonly #connections: Connections;
  readonly #secure: SecureServer | null;
  /** Sockets that left the HTTP server with an upgrade: it no longer knows them. */
  readonly #upgraded = new Set<Socket>();
  /**
   * The newest request of each connection, while it is under way or was the last one: none comes after one that says
   * goodbye. Others are forgotten with their end: an idle connection would keep all that belongs to a request.
   */
  readonly #newest = new Map<Socket, Http1Client>();
  readonly #open = new Set<Http1Client>();

  /** `secure`: what stands in front of it where TLS is spoken; null: nothing. */
  constructor(config: Config, gate: Gate, connections: Connections, secure: SecureServer | null) {
    this.#config = config;
    this.#gate = gate;
    this.#connections = connections;
    this.#secure = secure;
    this.#fastify = fastify({
      ...(secure === null ? {} : { serverFactory: factoryOf(secure) }),
      logger: false,
      rewriteUrl: hideFromFastify,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      forceCloseConnections: 'idle',
      requestTimeout: HTTP_OPTIONS.requestTimeout,
      keepAliveTimeout: HTTP_OPTIONS.keepAliveTimeout,
      clientErrorHandler: (error, socket) => this.#refuseMalformed(error, socket),
      http: HTTP_OPTIONS,
    });
    this.#route();
    const { server } = this;
    // None is left out in silence: one that was could have changed where the body ends.
    server.maxHeadersCount = 0;
    server.on('connection', (socket) => {
      this.#connections.opened(socket);
      socket.once('close', () => this.#newest.delete(socket));
    });
    // It is told to go on when its body is wanted, see `Exchange.inviteBody`.
    server.on('checkContinue', (request, response) => server.emit('request', request, response));
    server.on('upgrade', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    // It comes with a bare socket like an upgrade; the app refuses it.
    server.on('connect', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    server.on('checkExpectation', (request, response) => {
      this.#exchange(request, response, request.url ?? '')?.refuse('expectation-failed', null);
    });
  }

  get server(): Server {
    return this.#fastify.server;
  }

  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  async listen(): Promise<string> {
    const address = await this.#fastify.listen({ host: this.#config.HOST, port: this.#config.PORT });
    return this.#secure === null ? address : address.replace('http:', 'https:');
  }

  /** Every answer under way asks its client to close the connection. */
  startDraining(): void {
    for (const client of this.#open) {
      // Of requests in a row on one connection the last one says goodbye: the others would take its answer away.
      if (this.#newest.get(client.connection) === client) client.closeAfterwards();
    }
  }

  /** Stops listening, and resolves when the rest is answered, or cut after `limitMs`. */
  async close(limitMs: number): Promise<void> {
    const { server } = this;
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, limitMs);
    const closed = this.#fastify.close();
    // Where the head of an answer promised to keep the connection, it is idle after the answer.
    for (const client of this.#open) client.onClose(() => server.closeIdleConnections());
    await closed;
    clearTimeout(cut);
  }

  #route(): void {
    const methods = METHODS.filter((method) => method !== 'CONNECT');
    for (const method of methods) {
      if (!this.#fastify.supportedMethods.includes(method))
        this.#fastify.addHttpMethod(method, { hasBody: true });
    }
    this.#fastify.removeAllContentTypeParsers();
    this.#fastify.addContentTypeParser('*', (_request, _body, done) => done(null));
    this.#fastify.route({
      method: methods,
      url: '/',
      handler: (request, reply) => {
        reply.hijack();
        const exchange = this.#exchange(request.raw, reply.raw, request.originalUrl);
        if (exchange !== null) this.#gate.serve(exchange);
      },
    });
  }

  /** An upgrade, or CONNECT: the parser has left the socket, and its errors are ours to hear from now on. */
  #serveSocket(request: IncomingMessage, socket: Socket, early: Buffer): void {
    socket.on('error', () => undefined);
    const before = this.#newest.get(socket);
    if (before !== undefined && this.#open.has(before)) {
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
    const { socket } = request;
    if (this.#newest.get(socket)?.keepsConnection === false) return null;
    // Node's parser drops what came in one piece behind an upgrade that is ignored: it would go on amid something.
    if (this.#gate.draining || request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    const head = readHead(request, target, this.#config.TRUSTED_PROXIES);
    const client = new Http1Client(request, response, kind === 'tunnel');
    this.#newest.set(socket, client);
    this.#open.add(client);
    this.#connections.busy(rawSocketOf(socket));
    client.onClose(() => this.#ended(client));
    const exchange = this.#gate.open(client, head, kind);
    client.exchange = exchange;
    return exchange;
  }

  /** The connection ends with the answer to `last`: what came behind it is not served. */
  #endBehind(last: Http1Client, socket: Socket): void {
    last.closeAfterwards();
    last.onClose(() => socket.destroySoon());
  }

  #ended(client: Http1Client): void {
    const { connection } = client;
    this.#open.delete(client);
    if (this.#newest.get(connection) !== client) return;
    this.#connections.quiet(rawSocketOf(connection));
    if (client.keepsConnection) this.#newest.delete(connection);
  }

  /** What the HTTP parser itself refuses ends here; the connection can not be trusted any further. */
  #refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
    const status = statusOf(error);
    const newest = this.#newest.get(socket);
    if (status === null || !socket.writable) socket.destroy();
    else if (newest === undefined || !this.#open.has(newest)) {
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

function factoryOf(secure: SecureServer): FastifyServerFactory {
  return (handler) => secure.create(HTTP_OPTIONS, handler);
}

/**
 * Routing is the app's: to fastify every target is one route, and no media type is its business, so that it neither
 * decodes nor refuses any of them. The cell gets both as they came (`originalUrl`, `rawHeaders`).
 */
function hideFromFastify({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): string {
  delete headers['content-type'];
  // Fastify insists on one for this method alone; whether it is right is the cell's to say.
  if (method === 'QUERY') headers['content-type'] = 'application/octet-stream';
  return '/';
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
