// Runs the dry run of a fleet file in a thread of its own: no request waits for it, and a hostile file is cut off.
import { Worker } from 'node:worker_threads';
import type { Load } from '../health/load.ts';
import type { DryRun, PlannedFleet } from '../plan/dry-run.ts';
import type { Standing } from '../plan/n-minus-one.ts';

/** Measured: a thousand cells and 10,000 pins take 1.5 s; requests wait for 12 ms of it, while the question is copied. */
const LIMIT_MS = 20_000;
const HEAP_MB = 512;

export type DryRunQuestion = {
  text: string;
  active: Omit<PlannedFleet, 'placement'>;
  standings: ReadonlyMap<string, Standing>;
  loads: ReadonlyMap<string, Load> | null;
};

/** `faults`: what is wrong with the file, a line each. `busy`: another one is under way, ask again. */
export type DryRunAnswer = { plan: DryRun } | { faults: string[] } | { refused: 'busy' | 'too-much' };

export class DryRunner {
  #running: Worker | null = null;

  /** One at a time: a second one would take the cores that requests are served on. */
  async run(question: DryRunQuestion): Promise<DryRunAnswer> {
    if (this.#running !== null) return { refused: 'busy' };
    const thread = new Worker(new URL('./dry-run-thread.ts', import.meta.url), {
      workerData: question,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    this.#running = thread;
    const limit = setTimeout(() => void thread.terminate(), LIMIT_MS);
    try {
      return await answerOf(thread);
    } finally {
      clearTimeout(limit);
      this.#running = null;
      void thread.terminate();
    }
  }

  async close(): Promise<void> {
    await this.#running?.terminate();
  }
}

/** What it says; a thread that ends without a word, or fails, had too much to do for its time or its memory. */
async function answerOf(thread: Worker): Promise<DryRunAnswer> {
  return await new Promise((resolve) => {
    thread.once('message', (answer: DryRunAnswer) => resolve(answer));
    thread.once('error', () => resolve({ refused: 'too-much' }));
    thread.once('exit', () => resolve({ refused: 'too-much' }));
  });
}
