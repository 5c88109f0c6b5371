// Something that is looked at again and again, until it is closed.
import { setTimeout as pause } from 'node:timers/promises';

export class Loop {
  readonly #look: (closing: AbortSignal) => Promise<void>;
  readonly #everyMs: () => number;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;

  /** `look` must not reject. `everyMs`: asked after each look how long to wait for the next. It keeps no process alive. */
  constructor(look: (closing: AbortSignal) => Promise<void>, everyMs: () => number) {
    this.#look = look;
    this.#everyMs = everyMs;
  }

  /** Looks at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the look under way has ended; there is none after it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#look(signal);
      await pause(this.#everyMs(), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
