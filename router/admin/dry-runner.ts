// Runs the dry run of a fleet file in a process of its own: no request waits for it, and a hostile file ends only that.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Load } from '../health/load.ts';
import type { HealthRecord } from '../health/record.ts';
import type { DryRun, PlannedFleet } from '../plan/dry-run.ts';
import type { Standing } from '../plan/n-minus-one.ts';

const SCRIPT = fileURLToPath(new URL('./dry-run-process.ts', import.meta.url));

/** Measured: a thousand cells and 10,000 pins take 1.5 s; requests wait for 12 ms of it, while the question is copied. */
const LIMITS = { timeMs: 20_000, heapMb: 512 };

export type DryRunQuestion = {
  text: string;
  active: Omit<PlannedFleet, 'placement'>;
  standings: ReadonlyMap<string, Standing>;
  loads: ReadonlyMap<string, Load> | null;
  records: readonly HealthRecord[];
};

/** `faults`: what is wrong with the file, a line each. `busy`: another one is under way, ask again. */
export type DryRunAnswer = { plan: DryRun } | { faults: string[] } | { refused: 'busy' | 'too-much' };

export class DryRunner {
  readonly #limits: typeof LIMITS;
  #running: ChildProcess | null = null;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /**
   * One at a time: a second one would take the cores that requests are served on. A process and no thread: a file of
   * 4 MB that made a thread run out of memory took its whole process along (Node 26.10), at limits of 32 to 512 MB alike.
   */
  async run(question: DryRunQuestion): Promise<DryRunAnswer> {
    if (this.#running !== null) return { refused: 'busy' };
    const { timeMs, heapMb } = this.#limits;
    const child = fork(SCRIPT, {
      execArgv: [`--max-old-space-size=${heapMb}`],
      // It needs no setting, and shall know no secret.
      env: {},
      serialization: 'advanced',
      stdio: 'ignore',
    });
    this.#running = child;
    try {
      return await answerOf(child, question, timeMs);
    } finally {
      this.#running = null;
      child.kill('SIGKILL');
    }
  }

  close(): void {
    this.#running?.kill('SIGKILL');
  }
}

/** What it says; a process that ends without a word had too much to do for its time or its memory. */
async function answerOf(
  child: ChildProcess,
  question: DryRunQuestion,
  timeMs: number,
): Promise<DryRunAnswer> {
  let limit: NodeJS.Timeout | undefined;
  const answer = new Promise<DryRunAnswer>((resolve) => {
    const failed = (): void => resolve({ refused: 'too-much' });
    limit = setTimeout(failed, timeMs);
    child.once('message', (answer: DryRunAnswer) => resolve(answer));
    child.once('exit', failed);
    child.once('error', failed);
    child.send(question, (error) => {
      if (error !== null) failed();
    });
  });
  return await answer.finally(() => clearTimeout(limit));
}
