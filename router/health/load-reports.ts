// Tells the store once a second what this router's own requests load each home with.
import { LoadWindow, type HomeCount } from './load.ts';
import type { Store } from './store.ts';

const INTERVAL_MS = 1_000;

/**
 * Beside the beat and not within it: verdicts need no load, and the script that decides them, which all routers wait
 * for, must not read a thousand numbers more for each of them.
 */
export class LoadReports {
  readonly #machine: string;
  readonly #store: Pick<Store, 'tellLoad'>;
  readonly #count: () => Iterable<HomeCount>;
  readonly #window = new LoadWindow();
  #timer: NodeJS.Timeout | null = null;
  #telling: Promise<void> | null = null;

  /** `count`: what was counted so far, asked once a second. */
  constructor(machine: string, store: Pick<Store, 'tellLoad'>, count: () => Iterable<HomeCount>) {
    this.#machine = machine;
    this.#store = store;
    this.#count = count;
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  /** Resolves once nothing is on its way to the store any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#telling;
  }

  #look(): void {
    const loads = this.#window.look(performance.now(), this.#count());
    if (loads === null || this.#telling !== null) return;
    // A store that does not answer is told of by the beat; what it keeps expires by itself.
    this.#telling = this.#store
      .tellLoad(this.#machine, loads)
      .catch(() => undefined)
      .finally(() => (this.#telling = null));
  }
}
