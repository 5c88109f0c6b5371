// The connections to the cells: one pool a cell, with every limit and time-out said here.
import type { Pool } from 'undici';
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';
import type { Names } from '../names.ts';
import { OriginPool } from '../origin-pool.ts';

/** Below any sane cell's own idle limit, so that a cell seldom closes a connection that is just being used. */
const IDLE_MS = 4_000;
/**
 * A cell that tells its idle limit (`Keep-Alive: timeout=`) is left so much earlier; one whose limit is no longer than
 * this gets a new connection for each request. The seconds it tells are whole, and a busy router may be late itself.
 */
const IDLE_MARGIN_MS = 2_000;
const MAX_HEADER_BYTES = 65_536;

type PoolConfig = Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>;

export class CellPools {
  readonly #pools = new Map<string, OriginPool>();
  readonly #config: PoolConfig;
  readonly #names: Names;

  constructor(config: PoolConfig, names: Names) {
    this.#config = config;
    this.#names = names;
  }

  /** Opens pools for new cells; those of cells that are gone, or moved, finish what they carry and close. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    for (const [id, pool] of this.#pools) {
      if (cells.get(id)?.origin === pool.origin) continue;
      this.#pools.delete(id);
      pool.retire();
    }
    for (const { id, origin } of cells.values()) {
      if (!this.#pools.has(id)) this.#pools.set(id, this.#open(origin));
    }
  }

  of(cell: string): Pool | undefined {
    return this.#pools.get(cell)?.current;
  }

  /** New requests get new connections; the old ones finish what they carry. */
  renew(cell: string): void {
    this.#pools.get(cell)?.renew();
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** No limit on connections here: the lanes admit, and a request that was admitted never queues behind another. */
  #open(origin: string): OriginPool {
    const { CELL_CONNECT_TIMEOUT_MS, CELL_TIMEOUT_MS } = this.#config;
    const options = {
      connections: null,
      pipelining: 1,
      connect: { timeout: CELL_CONNECT_TIMEOUT_MS },
      headersTimeout: CELL_TIMEOUT_MS,
      bodyTimeout: CELL_TIMEOUT_MS,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      keepAliveTimeoutThreshold: IDLE_MARGIN_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      allowH2: false,
    };
    return new OriginPool(origin, options, this.#names);
  }
}
