// The connections to the cells: one pool a cell, with every limit and time-out said here.
import { Pool } from 'undici';
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';

/** Below any sane cell's own idle limit, so that a cell seldom closes a connection that is just being used. */
const IDLE_MS = 4_000;
const MAX_HEADER_BYTES = 65_536;

/** How many requests may be under way on one connection; 0: one, after which it is closed. */
const ONE_AT_A_TIME = 1;
const NO_KEEP_ALIVE = 0;

type Entry = { origin: string; pool: Pool; fresh: Pool | null };

export class CellPools {
  readonly #pools = new Map<string, Entry>();
  readonly #config: Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>;

  constructor(config: Pick<Config, 'CELL_CONNECT_TIMEOUT_MS' | 'CELL_TIMEOUT_MS'>) {
    this.#config = config;
  }

  /** Opens pools for new cells; those of cells that are gone, or moved, finish what they carry and close. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    for (const [id, entry] of this.#pools) {
      if (cells.get(id)?.origin === entry.origin) continue;
      this.#pools.delete(id);
      retire(entry);
    }
    for (const { id, origin } of cells.values()) {
      if (!this.#pools.has(id)) this.#pools.set(id, this.#entry(origin));
    }
  }

  /**
   * The cell was lost: connections that are open may be dead without knowing it, and a request that may not be sent
   * again must not find that out. New requests get new connections; the old ones finish what they carry.
   */
  renew(cell: string): void {
    const known = this.#pools.get(cell);
    if (known === undefined) return;
    this.#pools.set(cell, this.#entry(known.origin));
    retire(known);
  }

  of(cell: string): Pool | undefined {
    return this.#pools.get(cell)?.pool;
  }

  /**
   * Connections that carry one request each. For what is sent a second time: when a cell dies all of its open
   * connections are dead, and some do not know it yet.
   */
  freshOf(cell: string): Pool | undefined {
    const known = this.#pools.get(cell);
    if (known === undefined) return undefined;
    return (known.fresh ??= this.#open(known.origin, NO_KEEP_ALIVE));
  }

  async destroy(): Promise<void> {
    const all = [...this.#pools.values()].flatMap(({ pool, fresh }) => [pool, fresh ?? []].flat());
    await Promise.all(all.map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  #entry(origin: string): Entry {
    return { origin, pool: this.#open(origin, ONE_AT_A_TIME), fresh: null };
  }

  /** No limit on connections here: the lanes admit, and a request that was admitted never queues behind another. */
  #open(origin: string, pipelining: number): Pool {
    const { CELL_CONNECT_TIMEOUT_MS, CELL_TIMEOUT_MS } = this.#config;
    return new Pool(origin, {
      connections: null,
      pipelining,
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

/** Takes no more requests, and closes when it has finished those that it carries. */
function retire({ pool, fresh }: Entry): void {
  pool.close().catch(() => undefined);
  fresh?.close().catch(() => undefined);
}
