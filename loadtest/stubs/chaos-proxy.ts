// A TCP proxy that stands between any two processes and can spoil the line between them at any time.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ChaosLink, type LinkMode } from './chaos-link.ts';
import { listenInSilence, type SilentListener } from './silent-listener.ts';

/** `refuse`: nobody listens any more; connections that are open go on. In a `black-hole` connects hang too. */
export type ChaosMode = LinkMode | 'refuse';

export type ChaosProxy = {
  port: number;
  /** `http://127.0.0.1:port`. */
  origin: string;
  /** Connections open now. */
  readonly connections: number;
  /** From now on all connections, old and new ones, behave so. Resolves when new ones do too. */
  mode(next: ChaosMode): Promise<void>;
  /** Ends the listener, and every connection with an RST. */
  close(): Promise<void>;
};

export type ChaosOptions = {
  /** Port on 127.0.0.1. */
  target: number;
  /** Where it listens, on 127.0.0.1; 0: the kernel chooses. */
  port?: number;
  /** The modes touch only connections whose client has sent such bytes; connects are never touched then. */
  only?: (chunk: Buffer) => boolean;
};

/** Two listeners on one port: without them every change to and from a black hole would refuse somebody. */
const REUSE_PORT = process.platform === 'linux';

export async function startChaosProxy(options: ChaosOptions): Promise<ChaosProxy> {
  const proxy = new Proxy(options);
  await proxy.listen(options.port ?? 0);
  return proxy;
}

class Proxy implements ChaosProxy {
  readonly #options: ChaosOptions;
  readonly #links = new Map<ChaosLink, { touched: boolean }>();
  #mode: ChaosMode = 'pass';
  #server: Server | null = null;
  #silence: SilentListener | null = null;
  port = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#links.size;
  }

  async listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1', reusePort: REUSE_PORT }, resolve);
    });
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async mode(next: ChaosMode): Promise<void> {
    this.#mode = next;
    for (const [link, { touched }] of this.#links) if (touched) link.set(onLink(next));
    if (this.#options.only !== undefined) return;
    if (next === 'black-hole') await this.#hangConnects();
    else if (next === 'refuse') await Promise.all([this.#closeServer(), this.#endSilence()]);
    else {
      if (this.#server === null) await this.listen(this.port);
      await this.#endSilence();
    }
  }

  async close(): Promise<void> {
    const closed = Promise.all([this.#closeServer(), this.#endSilence()]);
    for (const link of this.#links.keys()) link.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#mode === 'reset' && this.#options.only === undefined) {
      socket.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const { target, only } = this.#options;
    const link = new ChaosLink(socket, target, () => this.#links.delete(link));
    const state = { touched: false };
    this.#links.set(link, state);
    const touch = (): void => {
      state.touched = true;
      link.set(onLink(this.#mode));
    };
    if (only === undefined) touch();
    else link.onClientData((chunk) => void (!state.touched && only(chunk) && touch()));
  }

  async #hangConnects(): Promise<void> {
    if (this.#silence !== null) return;
    if (!REUSE_PORT) await this.#closeServer();
    this.#silence = await listenInSilence(this.port, REUSE_PORT);
    await this.#closeServer();
    this.#silence.fill();
  }

  async #endSilence(): Promise<void> {
    await this.#silence?.close();
    this.#silence = null;
  }

  /** Stops listening at once; the connections that are open go on, so their end is not waited for. */
  async #closeServer(): Promise<void> {
    this.#server?.close();
    this.#server = null;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function onLink(mode: ChaosMode): LinkMode {
  return mode === 'refuse' ? 'pass' : mode;
}
