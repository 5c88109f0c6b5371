// The lag of every standby as its holder shows it, so that what was shown last before a death is known after it.
import { setTimeout as pause } from 'node:timers/promises';
import type { RigCell } from '../rig/cell.ts';

/** What was shown, and when it was read (`performance.now()`). */
export type ShownLag = { bytes: number | null; seconds: number | null; atMs: number };

const EVERY_MS = 100;

export class LagWatch {
  readonly #shown = new Map<string, ShownLag>();
  readonly #watching: Promise<unknown>;
  #stopping = false;

  constructor(cells: readonly RigCell[]) {
    this.#watching = Promise.all(cells.map((cell) => this.#watch(cell)));
  }

  /** Of the standby of this home; null: it was never shown. */
  of(home: string): ShownLag | null {
    return this.#shown.get(home) ?? null;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#watching;
  }

  async #watch(cell: RigCell): Promise<void> {
    while (!this.#stopping) {
      const atMs = performance.now();
      const { standbys = {} } = (await cell.health()) ?? {};
      for (const [home, { lagBytes, lagSeconds }] of Object.entries(standbys)) {
        this.#shown.set(home, { bytes: lagBytes, seconds: lagSeconds, atMs });
      }
      await pause(EVERY_MS);
    }
  }
}
