// The HTTPS listener: every TLS connection goes to the front of the protocol that it has agreed on.
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { RequestListener } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { LIMITS } from '../limits.ts';
import type { PublicCertificate } from './certificate.ts';
import { Handshakes } from './raw-sockets.ts';

/** What a client gets that has taken the port for one without TLS. */
const NOT_TLS =
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 28\r\n\r\nThis port speaks HTTPS only.';

type Listener = (this: Server, socket: TLSSocket) => void;

export class SecureServer {
  readonly #certificate: PublicCertificate;
  readonly #http2: (socket: TLSSocket) => void;
  readonly #handshakes = new Handshakes();
  #failures = 0;

  /** `http2` takes the connections that have agreed on it. */
  constructor(certificate: PublicCertificate, http2: (socket: TLSSocket) => void) {
    this.#certificate = certificate;
    this.#http2 = http2;
  }

  /** Handshakes that came to nothing. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether the files of its certificate do not fit any more, and older ones go on. */
  get filesRefused(): boolean {
    return this.#certificate.refused;
  }

  /** A server whose HTTP/1 is Node's own, with its limits (`options`). */
  create(options: ServerOptions, handler: RequestListener): Server {
    const server = createServer(
      {
        ...options,
        ...this.#certificate.context,
        ALPNProtocols: ['h2', 'http/1.1'],
        handshakeTimeout: LIMITS.headMs,
        // As Node's HTTP server has it: who ends its side still gets the answers under way.
        allowHalfOpen: true,
      },
      handler,
    );
    const http1 = server.listeners('secureConnection') as Listener[];
    server.removeAllListeners('secureConnection').removeAllListeners('tlsClientError');
    server.prependListener('connection', (raw) => this.#handshakes.begun(raw));
    server.on('secureConnection', (socket) => {
      this.#handshakes.ended(socket);
      if (socket.alpnProtocol === 'h2') {
        // Node's HTTP/2 ends with its peer alone where the socket does so by itself.
        socket.allowHalfOpen = false;
        this.#http2(socket);
      } else for (const listener of http1) listener.call(server, socket);
    });
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    this.#certificate.keepFresh(server);
    return server;
  }

  /** No handshake is awaited any longer, and the files are not watched. */
  close(): void {
    this.#handshakes.cut();
    this.#certificate.stop();
  }

  #failed({ code }: NodeJS.ErrnoException, socket: TLSSocket): void {
    this.#failures += 1;
    const raw = this.#handshakes.ended(socket);
    if (code === 'ERR_SSL_HTTP_REQUEST' && raw !== null) raw.end(NOT_TLS);
    else socket.destroy();
  }
}
