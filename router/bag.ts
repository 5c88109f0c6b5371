// What is under way now, in no order: things that come and go with every request.

/** What lies in one bag at most. */
export interface InBag {
  /** Where; the bag's alone to write. Negative: nowhere. */
  inBagAt: number;
}

/**
 * A set of a moment's requests. V8's own `Set` makes itself a new table every so many deletions, and each old one points to the
 * next: once one of them is old enough to be collected with the old, all later ones, and all that lay in them,
 * stay until then. Measured at 64 requests under way: 8 of 20 MB survived each scavenge, which took 25 ms instead of 1,
 * and a quarter of the process's time.
 */
export class Bag<T extends InBag> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  has(item: T): boolean {
    return this.#items[item.inBagAt] === item;
  }

  add(item: T): void {
    if (!this.has(item)) item.inBagAt = this.#items.push(item) - 1;
  }

  delete(item: T): void {
    if (!this.has(item)) return;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#items[item.inBagAt] = last;
      last.inBagAt = item.inBagAt;
    }
    item.inBagAt = -1;
  }

  /** Those of this moment that are still in it when their turn comes. */
  *[Symbol.iterator](): Generator<T> {
    for (const item of Array.from(this.#items)) if (this.has(item)) yield item;
  }
}
