// The certificates of cells that connections were made by: word when one of them ends.

/** The longest that a timer of Node's can be set for. */
const LONGEST_MS = 2_147_483_647;
/** A moment behind the end, so that whoever looks then finds it over. */
const BEHIND_MS = 1_000;

export class Peers {
  /** Origin → end of the certificate that its last connection was made by, in epoch milliseconds. */
  readonly #ends = new Map<string, number>();
  readonly #ended: () => void;
  #timer: NodeJS.Timeout | null = null;

  /** `ended`: connections are kept that could not be made any more. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  connected(origin: string, endsAtMs: number): void {
    if (this.#ends.get(origin) === endsAtMs) return;
    this.#ends.set(origin, endsAtMs);
    this.#schedule();
  }

  forget(origin: string): void {
    this.#ends.delete(origin);
  }

  #schedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#ends.size === 0) return;
    const inMs = Math.max(0, Math.min(...this.#ends.values()) - Date.now()) + BEHIND_MS;
    this.#timer = setTimeout(() => this.#look(), Math.min(inMs, LONGEST_MS)).unref();
  }

  #look(): void {
    const over = [...this.#ends].filter(([, endsAtMs]) => endsAtMs <= Date.now());
    for (const [origin] of over) this.#ends.delete(origin);
    if (over.length > 0) this.#ended();
    this.#schedule();
  }
}
