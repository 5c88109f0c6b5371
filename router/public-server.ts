// The public listener: takes requests from the fronts, keeps an eye on those under way, and sees them out when it closes.
import type { App } from './app.ts';
import { Bag } from './bag.ts';
import type { Client } from './client.ts';
import type { Config } from './config.ts';
import { Connections } from './connections.ts';
import { Exchange, type ExchangeEnd } from './exchange.ts';
import type { Streams } from './forward/streams.ts';
import type { Logger } from 'pino';
import { PublicCertificate } from './front/certificate.ts';
import type { Gate } from './front/gate.ts';
import { Http1Front } from './front/http1.ts';
import { Http2Front } from './front/http2.ts';
import { SecureServer } from './front/secure-server.ts';
import { PaceKeeper } from './pace.ts';
import type { RequestHead } from './request-head.ts';
import type { ClientCounts } from './telemetry/metrics.ts';
import type { Expiries } from './tls/expiries.ts';

export class PublicServer implements Gate {
  readonly #app: App;
  readonly #config: Config;
  readonly #streams: Streams;
  readonly #open = new Bag<Exchange>();
  readonly #connections: Connections;
  readonly #secure: SecureServer | null;
  readonly #http1: Http1Front;
  readonly #http2: Http2Front;
  readonly #pace: PaceKeeper;
  draining = false;

  /** Throws `PemError` when the files of its certificate can not be used. */
  constructor(app: App, config: Config, streams: Streams, expiries: Expiries, log: Logger) {
    this.#app = app;
    this.#config = config;
    this.#streams = streams;
    this.#connections = new Connections(config.MAX_CONNECTIONS);
    this.#pace = new PaceKeeper(this.#open, { streamIdleMs: config.STREAM_IDLE_MS });
    this.#http2 = new Http2Front(config, this, this.#connections);
    const certificate = PublicCertificate.of(config, expiries, log);
    this.#secure =
      certificate === null ? null : new SecureServer(certificate, (socket) => this.#http2.take(socket));
    this.#http1 = new Http1Front(config, this, this.#connections, this.#secure);
  }

  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  async listen(): Promise<string> {
    return await this.#http1.listen();
  }

  /** What its metrics are read from. */
  get clients(): ClientCounts {
    return {
      connections: this.#connections.count,
      http2: this.#http2.connections,
      failedHandshakes: this.#secure?.failures ?? 0,
      filesRefused: this.#secure?.filesRefused ?? false,
    };
  }

  open(client: Client, head: RequestHead, kind: 'request' | 'tunnel'): Exchange {
    const exchange = new Exchange(client, head, kind, this.#config.CELL_TIMEOUT_MS);
    this.#open.add(exchange);
    exchange.onEnd(this.#ended);
    return exchange;
  }

  readonly #ended = ({ exchange }: ExchangeEnd): void => {
    this.#open.delete(exchange);
    this.#pace.ended(exchange);
  };

  serve(exchange: Exchange, early?: Buffer): void {
    this.#app.serve(exchange, early);
  }

  /** From now on every answer asks its client to close the connection. */
  startDraining(): void {
    this.draining = true;
    this.#http1.startDraining();
    this.#http2.startDraining();
  }

  /**
   * Stops listening, ends what would never end by itself (tunnels, event streams), and resolves when the rest is
   * answered, or cut after `limitMs`.
   */
  async close(limitMs: number): Promise<void> {
    this.startDraining();
    const closed = this.#http1.close(limitMs);
    const http2 = this.#http2.close(limitMs);
    this.#secure?.close();
    this.#streams.close();
    await closed;
    http2.stop();
    this.#pace.stop();
  }
}
