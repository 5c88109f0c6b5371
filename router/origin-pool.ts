// The connections to one origin: replaced as a whole when they may lead to where the cell no longer is.
import { connect as connectTls } from 'node:tls';
import { buildConnector, errors, Pool } from 'undici';
import type { Names } from './names.ts';
import type { CellTls } from './tls/cell-tls.ts';

/** As undici has it for plain ones. */
const KEEP_ALIVE_MS = 60_000;

type Options = Omit<Pool.Options, 'connect'> & { connect: { timeout: number } };

/** What stands between the router and every cell. */
export type Network = { names: Names; tls: CellTls };

export class OriginPool {
  readonly origin: string;
  readonly #open: () => Pool;
  readonly #unfollow: readonly (() => void)[];
  /** Replaced ones that still finish what they carry. */
  readonly #retired = new Set<Pool>();
  #current: Pool;

  /**
   * Follows the origin's name and the trust in it: a connection to an address that the name no longer has, or one made
   * by certificates that count no more, carries no further request.
   */
  constructor(origin: string, options: Options, network: Network) {
    const { names, tls } = network;
    const { timeout } = options.connect;
    const connect = origin.startsWith('https:')
      ? secureConnector(origin, timeout, network)
      : { timeout, lookup: names.lookup };
    this.origin = origin;
    this.#open = () => new Pool(origin, { ...options, connect });
    this.#current = this.#open();
    this.#unfollow = [names.follow(origin, () => this.renew()), tls.onChange(() => this.renew())];
  }

  /** For the next request. Not to be kept: it may be another one for the request after that. */
  get current(): Pool {
    return this.#current;
  }

  /** Requests from now on get connections of their own; those under way are finished where they are. */
  renew(): void {
    this.#retire(this.#current);
    this.#current = this.#open();
  }

  /** Cuts whatever is under way. */
  async destroy(): Promise<void> {
    for (const unfollow of this.#unfollow) unfollow();
    await Promise.all([this.#current, ...this.#retired].map((pool) => pool.destroy()));
  }

  #retire(pool: Pool): void {
    this.#retired.add(pool);
    const gone = (): void => void this.#retired.delete(pool);
    pool.close().then(gone, gone);
  }
}

/**
 * undici's own connector takes the server's name from the request's `Host`, which is the client's word: a cell is to be
 * the one that the fleet file says. `timeoutMs`: until the connection is made, the handshake included.
 */
function secureConnector(
  origin: string,
  timeoutMs: number,
  { names, tls }: Network,
): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    const to = { host: hostname, port: Number(port) || 443, lookup: names.lookup };
    const socket = connectTls({ ...tls.optionsFor(origin), ...to });
    tls.observe(origin, socket);
    const limit = setTimeout(() => socket.destroy(new errors.ConnectTimeoutError()), timeoutMs);
    const failed = (error: Error): void => {
      clearTimeout(limit);
      callback(error, null);
    };
    socket
      .setNoDelay(true)
      .setKeepAlive(true, KEEP_ALIVE_MS)
      .once('error', failed)
      .once('secureConnect', () => {
        clearTimeout(limit);
        // An alert leaves the socket open: its end, which follows, would hide from the request why.
        socket.off('error', failed).on('error', (error) => socket.destroy(error));
        callback(null, socket);
      });
  };
}
