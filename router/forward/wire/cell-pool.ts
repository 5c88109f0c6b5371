// The connections to one origin: those that are free are used again, the latest first, and left before the cell leaves them.
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { LIMITS } from '../../limits.ts';
import type { Network } from '../../origin-pool.ts';
import { CellConnection, type Dial } from './cell-connection.ts';

/** How often connections that nobody uses are looked at. */
const LOOK_MS = 500;

/** What every connection reads into: what it holds is used, or copied, before the next one is read. */
const READ = Buffer.allocUnsafeSlow(65_536);

export class CellPool {
  readonly origin: string;
  /** Of the `Host` field, where the client has named none. */
  readonly host: string;
  readonly #network: Network;
  readonly #connectTimeoutMs: number;
  readonly #secure: boolean;
  readonly #address: { host: string; port: number };
  /** The one that was used last at the end. */
  #free: CellConnection[] = [];
  /** Answered in this turn: who sends more than an answer does so before the next one. */
  #cooling: CellConnection[] = [];
  readonly #all = new Set<CellConnection>();
  /** Grows with each renewal: connections of before carry no further request. */
  #generation = 0;
  readonly #unfollow: readonly (() => void)[];
  readonly #timer: NodeJS.Timeout;
  #whenEmpty: (() => void) | null = null;

  /**
   * Follows the origin's name and the trust in it: a connection to an address that the name no longer has, or one made
   * by certificates that count no more, carries no further request.
   */
  constructor(origin: string, network: Network, connectTimeoutMs: number) {
    const { protocol, hostname, host, port } = new URL(origin);
    this.origin = origin;
    this.host = host;
    this.#network = network;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#secure = protocol === 'https:';
    this.#address = {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || (this.#secure ? 443 : 80),
    };
    const renew = (): void => this.renew();
    this.#unfollow = [network.names.follow(origin, renew), network.tls.onChange(renew)];
    this.#timer = setInterval(() => this.#closeUnused(), LOOK_MS).unref();
  }

  /** A connection for the next request: one that is free, or a new one. */
  take(): CellConnection {
    const nowMs = performance.now();
    for (let last = this.#free.pop(); last !== undefined; last = this.#free.pop()) {
      if (!last.closed && !isOverdue(last, nowMs)) return last;
      last.close();
    }
    return this.#open(false, this.#generation);
  }

  /** One that carries a single request. `tunnel`: and whose socket is handed over if the cell grants an upgrade. */
  takeFresh(tunnel: boolean): CellConnection {
    return this.#open(tunnel, null);
  }

  /** Requests from now on get connections of their own; those under way are finished where they are. */
  renew(): void {
    this.#generation += 1;
    for (const connection of this.#free) connection.close();
    for (const connection of this.#cooling) connection.close();
    this.#free = [];
    this.#cooling = [];
  }

  /** No request will come: finishes what it carries, and tells when that is done. */
  retire(done: () => void): void {
    for (const unfollow of this.#unfollow) unfollow();
    clearInterval(this.#timer);
    this.renew();
    this.#whenEmpty = done;
    if (this.#all.size === 0) done();
  }

  /** Cuts whatever is under way. */
  destroy(): void {
    this.retire(() => undefined);
    for (const connection of this.#all) connection.close();
  }

  /** `generation`: null where it is not to be used again. */
  #open(tunnel: boolean, generation: number | null): CellConnection {
    const connection = new CellConnection({
      dial: this.#dial,
      opened: this.#secure ? 'secureConnect' : 'connect',
      connectTimeoutMs: this.#connectTimeoutMs,
      tunnel,
      onFree: (free, persistent) => this.#takeBack(free, persistent && generation === this.#generation),
      onClosed: (closed) => this.#closed(closed),
    });
    this.#all.add(connection);
    return connection;
  }

  #closed(connection: CellConnection): void {
    this.#all.delete(connection);
    if (this.#all.size === 0) this.#whenEmpty?.();
  }

  readonly #dial: Dial = (read) => {
    const { names, tls } = this.#network;
    const callback = (length: number): boolean => {
      read?.(READ, length);
      return true;
    };
    const onread = read === null ? {} : { onread: { buffer: READ, callback } };
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: LIMITS.tunnelKeepAliveMs };
    const options = { ...this.#address, ...onread, ...keepAlive, lookup: names.lookup };
    if (!this.#secure) return connect(options);
    const socket = connectSecurely({ ...tls.optionsFor(this.origin), ...options });
    tls.observe(this.origin, socket);
    return socket;
  };

  #takeBack(connection: CellConnection, persistent: boolean): void {
    if (!persistent) {
      connection.close();
      return;
    }
    connection.freeSinceMs = performance.now();
    if (this.#cooling.length === 0) setImmediate(this.#cool);
    this.#cooling.push(connection);
  }

  readonly #cool = (): void => {
    for (const connection of this.#cooling) if (!connection.closed) this.#free.push(connection);
    this.#cooling = [];
  };

  #closeUnused(): void {
    const nowMs = performance.now();
    this.#free = this.#free.filter((connection) => {
      const overdue = connection.closed || isOverdue(connection, nowMs);
      if (overdue) connection.close();
      return !overdue;
    });
  }
}

function isOverdue({ freeSinceMs, idleMs }: CellConnection, nowMs: number): boolean {
  return nowMs - freeSinceMs >= Math.min(LIMITS.cellIdleMs, idleMs - LIMITS.cellIdleMarginMs);
}
