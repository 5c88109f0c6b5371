// The public listener: fastify and its proxy plugin in front, sockets and limits; it hands every request to the app.
import { METHODS, ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from '@fastify/http-proxy';
import { fastify, type FastifyInstance } from 'fastify';
import type { App } from './app.ts';
import type { Config } from './config.ts';
import { Exchange } from './exchange.ts';
import type { Streams } from './forward/streams.ts';
import type { RequestHead } from './request-head.ts';

/** How long a client may take. A slow body may be a slow line: it gets minutes; a head is small: it gets seconds. */
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000;
const IDLE_TIMEOUT_MS = 65_000;
const MAX_HEAD_BYTES = 16_384;

export class PublicServer {
  readonly #fastify: FastifyInstance;
  readonly #app: App;
  readonly #config: Config;
  readonly #streams: Streams;
  /** Sockets that left the HTTP server with an upgrade: it no longer knows them. */
  readonly #upgraded = new Set<Socket>();
  readonly #open = new Set<Exchange>();
  #draining = false;

  constructor(app: App, config: Config, streams: Streams) {
    this.#app = app;
    this.#config = config;
    this.#streams = streams;
    this.#fastify = fastify({
      logger: false,
      rewriteUrl: hideFromFastify,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      forceCloseConnections: 'idle',
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      clientErrorHandler: refuseMalformed,
      http: {
        maxHeaderSize: MAX_HEAD_BYTES,
        headersTimeout: HEAD_TIMEOUT_MS,
        shouldUpgradeCallback: opensWebSocket,
      },
    });
    this.#route();
    const { server } = this.#fastify;
    server.on('upgrade', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    // It comes with a bare socket like an upgrade; the app refuses it.
    server.on('connect', (request, socket, early) => this.#serveSocket(request, socket as Socket, early));
    server.on('checkExpectation', (request, response) => {
      this.#exchange(request, response, request.url ?? '').refuse('expectation-failed', null);
    });
  }

  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  async listen(): Promise<string> {
    return await this.#fastify.listen({ host: this.#config.HOST, port: this.#config.PORT });
  }

  /** From now on every answer asks its client to close the connection. */
  startDraining(): void {
    this.#draining = true;
    for (const { response } of this.#open) response.shouldKeepAlive = false;
  }

  /**
   * Stops listening, ends what would never end by itself (tunnels, event streams), and resolves when the rest is
   * answered, or cut after `limitMs`.
   */
  async close(limitMs: number): Promise<void> {
    this.startDraining();
    const { server } = this.#fastify;
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, limitMs);
    const closed = this.#fastify.close();
    // Where the head of an answer promised to keep the connection, it is idle after the answer.
    for (const { response } of this.#open) response.once('close', () => server.closeIdleConnections());
    this.#streams.close();
    await closed;
    clearTimeout(cut);
  }

  #route(): void {
    const methods = METHODS.filter((method) => method !== 'CONNECT');
    for (const method of methods) {
      if (!this.#fastify.supportedMethods.includes(method))
        this.#fastify.addHttpMethod(method, { hasBody: true });
    }
    this.#fastify.register(httpProxy, {
      // The plugin insists on one; where a request goes is decided per request, in `handler`.
      upstream: 'http://cell.invalid',
      httpMethods: methods,
      preRewrite: () => '/',
      handler: (request, reply) => {
        reply.hijack();
        this.#app.serve(this.#exchange(request.raw, reply.raw, request.originalUrl));
      },
    });
  }

  /** An upgrade, or CONNECT: the parser has left the socket, and its errors are ours to hear from now on. */
  #serveSocket(request: IncomingMessage, socket: Socket, early: Buffer): void {
    // An ordinary response on the same socket: refusals and answers other than 101 go the ordinary way.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    socket.on('error', () => undefined);
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    this.#app.serve(this.#exchange(request, response, request.url ?? '', 'tunnel'), early);
  }

  #exchange(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
    kind: 'request' | 'tunnel' = 'request',
  ): Exchange {
    if (this.#draining) response.shouldKeepAlive = false;
    const head = this.#headOf(request, target);
    const exchange = new Exchange(request, response, head, kind, this.#config.CELL_TIMEOUT_MS);
    this.#open.add(exchange);
    exchange.onEnd(() => this.#open.delete(exchange));
    return exchange;
  }

  #headOf(request: IncomingMessage, rawTarget: string): RequestHead {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    const { target, host } = targetAndHost(rawTarget, request.headers.host ?? '');
    const queryAt = target.indexOf('?');
    return {
      method: request.method ?? 'GET',
      target,
      path: queryAt === -1 ? target : target.slice(0, queryAt),
      host,
      rawHeaders: request.rawHeaders,
      peer,
      fromTrustedProxy: this.#config.TRUSTED_PROXIES.check(peer, peer.includes(':') ? 'ipv6' : 'ipv4'),
    };
  }
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
function opensWebSocket({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket') return false;
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

/** Absolute form: its authority replaces `Host`, and the cell gets the origin form (RFC 9112, section 3.2.2). */
function targetAndHost(target: string, host: string): { target: string; host: string } {
  if (target.startsWith('/')) return { target, host };
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target);
  if (absolute === null) return { target, host };
  const rest = absolute[2] ?? '';
  return { target: rest.startsWith('/') ? rest : `/${rest}`, host: absolute[1] ?? host };
}

/** An IPv4 peer on a dual-stack listener comes as `::ffff:10.0.0.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** What the HTTP parser itself refuses ends here; the connection can not be trusted any further. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
