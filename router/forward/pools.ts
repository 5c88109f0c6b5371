// The connections to the cells: one pool a cell, with every limit and time-out said here.
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';
import type { Network } from '../origin-pool.ts';
import { CellPool } from './wire/cell-pool.ts';

type PoolConfig = Pick<Config, 'CELL_CONNECT_TIMEOUT_MS'>;

export class CellPools {
  readonly #pools = new Map<string, CellPool>();
  readonly #config: PoolConfig;
  readonly #network: Network;
  /** Those of cells that are gone, while they finish what they carry. */
  readonly #retired = new Set<CellPool>();

  constructor(config: PoolConfig, network: Network) {
    this.#config = config;
    this.#network = network;
  }

  /** Opens pools for new cells; those of cells that are gone, or moved, finish what they carry and close. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    for (const [id, pool] of this.#pools) {
      if (cells.get(id)?.origin === pool.origin) continue;
      this.#pools.delete(id);
      this.#retired.add(pool);
      pool.retire(() => this.#retired.delete(pool));
    }
    for (const { id, origin } of cells.values()) {
      if (!this.#pools.has(id)) this.#pools.set(id, this.#open(origin));
    }
  }

  of(cell: string): CellPool | undefined {
    return this.#pools.get(cell);
  }

  /**
   * The cell was lost: connections that are open may be dead without knowing it, and a request that may not be sent
   * again must not find that out. New requests get new connections; the old ones finish what they carry.
   */
  renew(cell: string): void {
    this.#pools.get(cell)?.renew();
  }

  destroy(): void {
    for (const pool of [...this.#pools.values(), ...this.#retired]) pool.destroy();
    this.#pools.clear();
    this.#retired.clear();
  }

  /** No limit on connections here: the lanes admit, and a request that was admitted never queues behind another. */
  #open(origin: string): CellPool {
    return new CellPool(origin, this.#network, this.#config.CELL_CONNECT_TIMEOUT_MS);
  }
}
