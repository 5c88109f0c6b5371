// One worker as its primary sees it: what it is told and asked, what it tells, and its end.
import cluster, { type Worker } from 'node:cluster';
import type { Inside } from '../health/cells/death-watch.ts';
import type { FromWorker, MetricData, ToWorker } from './messages.ts';

/** Who has requests in a cell is known at once; one who is slower than that is too busy to say. */
const INSIDE_MS = 250;
const METRICS_MS = 1_000;

export class WorkerProcess {
  /** Its number among the machine's workers: the one that replaces it has the same. */
  readonly number: number;
  readonly startedAtMs = performance.now();
  /** Resolves with how it ended, once it has: an exit code or a signal. */
  readonly ended: Promise<number | string>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #asked = 0;

  /** Starts it. `heard` gets what it tells, answers apart. */
  constructor(number: number, heard: (from: WorkerProcess, message: FromWorker) => void) {
    this.number = number;
    this.#worker = cluster.fork();
    this.#worker.on('message', (message: FromWorker) => {
      if (message.kind === 'isInside') this.#answer(message.id, message.inside);
      else if (message.kind === 'measured') this.#answer(message.id, message.metrics);
      else heard(this, message);
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code, signal) => {
        for (const id of Array.from(this.#waiting.keys())) this.#answer(id, null);
        resolve(signal ?? code);
      });
    });
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** One that is gone hears nothing. */
  tell(message: ToWorker): void {
    this.#worker.send(message, () => undefined);
  }

  /** Who has requests of this worker in the cell; null: it does not say. */
  async inside(cell: string): Promise<Inside> {
    return await this.#ask<Inside>((id) => ({ kind: 'inside', id, cell }), INSIDE_MS);
  }

  /** Its own metrics; null: it does not answer. */
  async metrics(): Promise<readonly MetricData[] | null> {
    return await this.#ask<readonly MetricData[]>((id) => ({ kind: 'metrics', id }), METRICS_MS);
  }

  /** It ends what it does and then itself, by force after `limitMs`. Resolves when it is gone. */
  async close(limitMs: number): Promise<void> {
    this.tell({ kind: 'close' });
    const limit = setTimeout(() => this.kill(), limitMs);
    await this.ended;
    clearTimeout(limit);
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  async #ask<T>(question: (id: number) => ToWorker, limitMs: number): Promise<T | null> {
    const id = (this.#asked += 1);
    const answer = new Promise<T | null>((resolve) =>
      this.#waiting.set(id, (told) => resolve(told as T | null)),
    );
    const limit = setTimeout(() => this.#answer(id, null), limitMs);
    this.tell(question(id));
    return await answer.finally(() => clearTimeout(limit));
  }

  #answer(id: number, answer: unknown): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}
