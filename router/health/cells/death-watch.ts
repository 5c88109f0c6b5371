// Who was in flight in the cells that this router lost, and who fails alone: what the store is to be told of it.
import {
  IN_FLIGHT_MAX,
  type Accusations,
  type Death,
  type Failing,
  type InFlight,
} from '../verdicts/suspects.ts';
import type { WatchedCell } from './watched-cell.ts';

/** What could not be told for so long is told no more: the others have judged by then. */
const STALE_MS = 10_000;

/** Who has requests in a cell now; null: nobody can say, which tells as little as too many do. */
export type Inside = readonly InFlight[] | null;

type Broken = InFlight & { atMs: number };
type Dated<T> = T & { atMs: number };

export class DeathWatch {
  readonly #windowMs: number;
  readonly #inside: (cell: string) => Inside | Promise<Inside>;
  readonly #gathered: () => void;
  readonly #now: () => number;
  /** Cell → the newest sending of each tenant that broke in it, the oldest first. */
  readonly #broken = new Map<string, Map<string, Broken>>();
  /** Cells that were lost, and were not found up since. */
  readonly #lost = new Set<string>();
  /** Those of them of which others are being asked who is inside. */
  readonly #gathering = new Set<string>();
  #deaths: Dated<Death>[] = [];
  #failing: Dated<Failing>[] = [];

  /**
   * `windowMs`: no cell that dies takes longer until it is found lost. `inside`: who has requests in a cell now. `gathered`:
   * what had to be asked of others is there, and worth telling. `now`: any monotonic clock.
   */
  constructor(
    windowMs: number,
    inside: (cell: string) => Inside | Promise<Inside>,
    gathered: () => void,
    now: () => number = () => performance.now(),
  ) {
    this.#windowMs = windowMs;
    this.#inside = inside;
    this.#gathered = gathered;
    this.#now = now;
  }

  /** A sending of the tenant's broke in the cell: if this turns out to be its death, the tenant was there. */
  broke(cell: string, one: InFlight): void {
    const ofCell = this.#broken.get(cell) ?? new Map<string, Broken>();
    this.#broken.set(cell, ofCell);
    const key = `${one.home} ${one.tenant}`;
    const known = ofCell.get(key);
    const again = one.again || (known?.again === true && this.#isRecent(known));
    ofCell.delete(key);
    ofCell.set(key, { ...one, again, atMs: this.#now() });
    const [oldest] = ofCell.keys();
    // One more than can be told: that there were too many is told as well.
    if (ofCell.size > IN_FLIGHT_MAX + 1 && oldest !== undefined) ofCell.delete(oldest);
  }

  /** Looks at a cell after anything was learnt of it. True: it was lost just now, which is worth telling. */
  look({ id, state, unreachable }: Pick<WatchedCell, 'id' | 'state' | 'unreachable'>): boolean {
    if (state === 'up') this.#lost.delete(id);
    if (!unreachable || this.#lost.has(id)) return false;
    this.#lost.add(id);
    const inside = this.#inside(id);
    if (inside instanceof Promise) {
      void this.#gather(id, inside);
      return false;
    }
    this.#died(id, inside);
    return true;
  }

  /** Whether the cell was lost just now, and it is not known yet who was inside. */
  isGathering(cell: string): boolean {
    return this.#gathering.has(cell);
  }

  failsAlone(failing: Failing): void {
    this.#failing.push({ ...failing, atMs: this.#now() });
  }

  /** What is to be told with the next beat; undefined: nothing. It stays until `told`. */
  get pending(): Accusations | undefined {
    const since = this.#now() - STALE_MS;
    this.#deaths = this.#deaths.filter(({ atMs }) => atMs > since);
    this.#failing = this.#failing.filter(({ atMs }) => atMs > since);
    if (this.#deaths.length + this.#failing.length === 0) return undefined;
    return { deaths: [...this.#deaths], failing: [...this.#failing] };
  }

  /** The store has taken these. */
  told(taken: Accusations | undefined): void {
    if (taken === undefined) return;
    const [deaths, failing] = [new Set(taken.deaths), new Set(taken.failing)];
    this.#deaths = this.#deaths.filter((one) => !deaths.has(one));
    this.#failing = this.#failing.filter((one) => !failing.has(one));
  }

  async #gather(cell: string, asked: Promise<Inside>): Promise<void> {
    this.#gathering.add(cell);
    const inside = await asked.catch(() => null);
    this.#gathering.delete(cell);
    this.#died(cell, inside);
    this.#gathered();
  }

  #died(cell: string, inside: Inside): void {
    this.#deaths.push({ ...this.#deathOf(cell, inside), atMs: this.#now() });
    this.#broken.delete(cell);
  }

  /** A cell that hangs breaks nothing off: what is inside it still was there, too. */
  #deathOf(cell: string, inside: Inside): Death {
    const all = new Map<string, InFlight>();
    for (const one of this.#broken.get(cell)?.values() ?? []) {
      if (this.#isRecent(one)) all.set(`${one.home} ${one.tenant}`, one);
    }
    for (const one of inside ?? []) {
      const key = `${one.home} ${one.tenant}`;
      all.set(key, { ...one, again: one.again || all.get(key)?.again === true });
    }
    const many = inside === null || all.size > IN_FLIGHT_MAX;
    const tenants = [...all.values()].map(({ home, tenant, again }) => ({ home, tenant, again }));
    return { cell, many, tenants: many ? [] : tenants };
  }

  #isRecent({ atMs }: Broken): boolean {
    return this.#now() - atMs <= this.#windowMs;
  }
}
