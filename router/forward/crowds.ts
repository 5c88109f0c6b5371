// Requests that wait for room in a cell, tried again as others leave it: once for all that leave in one turn.
import type { Role } from '../choose-cell.ts';
import type { Lanes } from '../lanes.ts';
import type { Delivery } from './delivery.ts';
import type { Holds } from './holds.ts';

export class Crowds {
  readonly #holds: Pick<Holds<Delivery>, 'wake'>;
  readonly #lanes: Pick<Lanes, 'hasRoom'>;
  readonly #cellOf: (delivery: Delivery) => string;
  /** Cell without room → the queues in which requests wait for some. */
  readonly #queues = new Map<string, Set<string>>();
  /** Cells that something has left in this turn, and for which some wait. */
  readonly #left = new Set<string>();

  /** `cellOf`: the cell that a request is to go to. */
  constructor(
    holds: Pick<Holds<Delivery>, 'wake'>,
    lanes: Pick<Lanes, 'hasRoom'>,
    cellOf: (delivery: Delivery) => string,
  ) {
    this.#holds = holds;
    this.#lanes = lanes;
    this.#cellOf = cellOf;
  }

  /** A request found no room in the cell, and waits in this queue. */
  waits(cell: string, queue: string): void {
    const queues = this.#queues.get(cell);
    if (queues === undefined) this.#queues.set(cell, new Set([queue]));
    else queues.add(queue);
  }

  /** A request has left the cell. Who waits for its place is tried once this turn is over. */
  left(cell: string): void {
    if (!this.#queues.has(cell)) return;
    if (this.#left.size === 0) setImmediate(() => this.#tryAll());
    this.#left.add(cell);
  }

  #tryAll(): void {
    const cells = [...this.#left];
    this.#left.clear();
    for (const cell of cells) {
      for (const queue of this.#queues.get(cell) ?? []) this.#try(cell, queue);
    }
  }

  /** Where nobody in the queue waits for this cell any more, it is forgotten. */
  #try(cell: string, queue: string): void {
    let waiting = false;
    /** Whoever was tried last, to see whether it found room. */
    let last: Delivery | null = null;
    const refused = new Set<string>();
    this.#holds.wake(queue, (delivery) => {
      if (last?.crowded === true) refused.add(last.tenant);
      last = null;
      if (!delivery.crowded || this.#cellOf(delivery) !== cell) return false;
      waiting = true;
      // Most wait in vain for as long as the lane is full, or as their tenant has its share.
      if (refused.has(delivery.tenant) || !this.#hasRoom(cell, delivery)) return false;
      last = delivery;
      return true;
    });
    if (waiting) return;
    const queues = this.#queues.get(cell);
    queues?.delete(queue);
    if (queues?.size === 0) this.#queues.delete(cell);
  }

  /** Tunnels are counted apart: they are tried. */
  #hasRoom(cell: string, { home, exchange }: Delivery): boolean {
    const role: Role = cell === home ? 'home' : 'guest';
    return exchange.kind === 'tunnel' || this.#lanes.hasRoom(cell, role);
  }
}
