// The connections to the cells: one pool a cell, with every limit and time-out said here.
import { Pool } from 'undici';
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';

/** Below any sane cell's own idle limit, so that a cell seldom closes a connection that is just being used. */
const IDLE_MS = 4_000;
const MAX_HEADER_BYTES = 65_536;

type Entry = { origin: string; pool: Pool };

export class CellPools {
  readonly #pools = new Map<string, Entry>();
  readonly #config: Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>;

  constructor(config: Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>) {
    this.#config = config;
  }

  /** Opens pools for new cells; those of cells that are gone, or moved, finish what they carry and close. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    for (const [id, { origin, pool }] of this.#pools) {
      if (cells.get(id)?.origin === origin) continue;
      this.#pools.delete(id);
      pool.close().catch(() => undefined);
    }
    for (const { id, origin } of cells.values()) {
      if (!this.#pools.has(id)) this.#pools.set(id, { origin, pool: this.#open(origin) });
    }
  }

  /**
   * The cell was lost: connections that are open may be dead without knowing it, and a request that may not be sent
   * again must not find that out. New requests get new connections; the old ones finish what they carry.
   */
  renew(cell: string): void {
    const known = this.#pools.get(cell);
    if (known === undefined) return;
    this.#pools.set(cell, { origin: known.origin, pool: this.#open(known.origin) });
    known.pool.close().catch(() => undefined);
  }

  of(cell: string): Pool | undefined {
    return this.#pools.get(cell)?.pool;
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
    this.#pools.clear();
  }

  /** No limit on connections here: the lanes admit, and a request that was admitted never queues behind another. */
  #open(origin: string): Pool {
    const { CELL_CONNECT_TIMEOUT_MS, CELL_TIMEOUT_MS } = this.#config;
    return new Pool(origin, {
      connections: null,
      pipelining: 1,
      connect: { timeout: CELL_CONNECT_TIMEOUT_MS },
      headersTimeout: CELL_TIMEOUT_MS,
      bodyTimeout: CELL_TIMEOUT_MS,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      allowH2: false,
    });
  }
}
