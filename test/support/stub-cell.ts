// A cell of the tests' own: contract level 0, and whatever behaviour a test asks of it, on a real socket.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { freePort } from './ports.ts';

export type SeenRequest = {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  body: string;
};

export type StubCell = {
  id: string;
  port: number;
  origin: string;
  /** Every request but those for `/health`, in the order they were read whole. */
  seen: SeenRequest[];
  /** Open connections now. */
  sockets: Set<Socket>;
  server: Server;
  /** Path (without query) → what answers it instead; a test may add to it. */
  scripts: Map<string, RequestListener>;
  /** What `/health` says; a test may change it. */
  health: { status: number; body: unknown };
  /** Ends the listener and every connection, as a dead process would. The port stays free for `reopen`. */
  die(): Promise<void>;
  reopen(): Promise<void>;
  close(): Promise<void>;
};

export type StubOptions = {
  handler?: RequestListener;
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** It speaks HTTPS, and shows and asks for what this says. */
  tls?: TlsOptions;
};

/** Starts a stub. Without a handler it answers 200 with JSON that says who it is and what it was asked. */
export async function startStubCell(id: string, options: StubOptions = {}): Promise<StubCell> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const scripts = new Map<string, RequestListener>();
  const health = { status: 200, body: { cell: id, version: '1.0.0', status: 'ok', checks: {} } as unknown };
  const host = options.host ?? '127.0.0.1';
  const handler = options.handler ?? answerWithEcho(id, seen);
  const answer: RequestListener = (request, response) => {
    const script = scripts.get(request.url?.split('?')[0] ?? '');
    if (script !== undefined) script(request, response);
    else if (request.url === '/health') {
      response.writeHead(health.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(health.body));
    } else handler(request, response);
  };
  const secure = options.tls !== undefined;
  const server: Server = secure
    ? createSecureServer({ ...options.tls, keepAliveTimeout: 60_000 }, answer)
    : createServer({ keepAliveTimeout: 60_000 }, answer);
  if (options.onUpgrade !== undefined) server.on('upgrade', options.onUpgrade);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const listen = async (port: number): Promise<void> =>
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen(options.port ?? (await freePort()));
  const { port } = server.address() as AddressInfo;
  const die = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  return {
    id,
    port,
    origin: `${secure ? 'https' : 'http'}://${host}:${port}`,
    seen,
    sockets,
    server,
    scripts,
    health,
    die,
    reopen: () => listen(port),
    close: async () => {
      if (server.listening) await die();
    },
  };
}

function answerWithEcho(id: string, seen: SeenRequest[]): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { method = '', url = '', headers, rawHeaders } = request;
      seen.push({ method, url, headers, rawHeaders, body });
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ cell: id, method, url, headers, body }));
    });
  };
}
