// The connections to the cells: one pool a cell, with every limit and time-out said here.
import type { Pool } from 'undici';
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';
import { OriginPool, type Network } from '../origin-pool.ts';
import { LIMITS } from '../limits.ts';

/** How many requests may be under way on one connection; 0: one, after which it is closed. */
const ONE_AT_A_TIME = 1;
const NO_KEEP_ALIVE = 0;

type PoolConfig = Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>;

/** `kept`: connections that are used again and again · `fresh`: such that carry one request each. */
type Pools = { origin: string; kept: OriginPool; fresh: OriginPool };

export class CellPools {
  readonly #pools = new Map<string, Pools>();
  readonly #config: PoolConfig;
  readonly #network: Network;

  constructor(config: PoolConfig, network: Network) {
    this.#config = config;
    this.#network = network;
  }

  /** Opens pools for new cells; those of cells that are gone, or moved, finish what they carry and close. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    for (const [id, pools] of this.#pools) {
      if (cells.get(id)?.origin === pools.origin) continue;
      this.#pools.delete(id);
      for (const pool of both(pools)) pool.retire();
    }
    for (const { id, origin } of cells.values()) {
      if (this.#pools.has(id)) continue;
      const [kept, fresh] = [this.#open(origin, ONE_AT_A_TIME), this.#open(origin, NO_KEEP_ALIVE)];
      this.#pools.set(id, { origin, kept, fresh });
    }
  }

  of(cell: string): Pool | undefined {
    return this.#pools.get(cell)?.kept.current;
  }

  /**
   * For what is sent a second time: when a cell dies all of its open connections are dead, and some do not know it
   * yet.
   */
  freshOf(cell: string): Pool | undefined {
    return this.#pools.get(cell)?.fresh.current;
  }

  /**
   * The cell was lost: connections that are open may be dead without knowing it, and a request that may not be sent
   * again must not find that out. New requests get new connections; the old ones finish what they carry.
   */
  renew(cell: string): void {
    this.#pools.get(cell)?.kept.renew();
  }

  async destroy(): Promise<void> {
    const all = [...this.#pools.values()].flatMap(both);
    await Promise.all(all.map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** No limit on connections here: the lanes admit, and a request that was admitted never queues behind another. */
  #open(origin: string, pipelining: number): OriginPool {
    const { CELL_CONNECT_TIMEOUT_MS, CELL_TIMEOUT_MS } = this.#config;
    const options = {
      connections: null,
      pipelining,
      connect: { timeout: CELL_CONNECT_TIMEOUT_MS },
      headersTimeout: CELL_TIMEOUT_MS,
      bodyTimeout: CELL_TIMEOUT_MS,
      keepAliveTimeout: LIMITS.cellIdleMs,
      keepAliveMaxTimeout: LIMITS.cellIdleMs,
      keepAliveTimeoutThreshold: LIMITS.cellIdleMarginMs,
      maxHeaderSize: LIMITS.cellHeadBytes,
      allowH2: false,
    };
    return new OriginPool(origin, options, this.#network);
  }
}

function both({ kept, fresh }: Pools): OriginPool[] {
  return [kept, fresh];
}
