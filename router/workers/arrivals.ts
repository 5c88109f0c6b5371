// What all workers have seen, brought to the one monitor of the machine as if one process had seen it.
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';
import type { Seen } from './messages.ts';
import { answersOf, TOGETHER_MS } from './sightings.ts';

/** Of connections that failed in one moment more tell no more: the longest row that `FALL` can ask for. */
const NO_CONNECTIONS_MAX = 100;

export type Watcher = {
  observeBroken(cell: string, one: InFlight): void;
  observeNoConnection(cell: string, reason: string): void;
  observeAnswer(cell: string, outcome: AnswerOutcome, tenant: string | null): void;
  countRefused(home: string, tenant: string): void;
  askStore(): void;
};

export class Arrivals {
  readonly #watcher: Watcher;
  readonly #answers: Parameters<typeof answersOf>[0] = new Map();
  #soon: NodeJS.Timeout | null = null;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
  }

  /** One worker told. Who was inside comes first: what follows may be the cell's death. */
  take({ broken, noConnections, answers, refused, askStore }: Seen): void {
    const watcher = this.#watcher;
    for (const { cell, one } of broken) watcher.observeBroken(cell, one);
    for (const { cell, reason, count } of noConnections) {
      for (let i = 0; i < Math.min(count, NO_CONNECTIONS_MAX); i += 1)
        watcher.observeNoConnection(cell, reason);
    }
    for (const { home, tenant } of refused) watcher.countRefused(home, tenant);
    if (askStore) watcher.askStore();
    for (const { cell, tenant, good, overloaded, bad } of answers) {
      const own = answersOf(this.#answers, cell, tenant);
      own.good += good;
      own.overloaded += overloaded;
      own.bad += bad;
    }
    if (answers.length > 0) this.#soon ??= setTimeout(() => this.#replay(), TOGETHER_MS);
  }

  close(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
  }

  /**
   * Of the answers of one moment, of all workers, the good ones count first: by their order in the messages a cell would be
   * given up for the bad ones of one worker before the good ones of the others are heard.
   */
  #replay(): void {
    this.#soon = null;
    const all = [...this.#answers.values()].flatMap((ofCell) => [...ofCell.values()]);
    this.#answers.clear();
    for (const outcome of ['good', 'overloaded', 'bad'] as const) {
      for (const { cell, tenant, [outcome]: count } of all) {
        const whose = tenant === '' ? null : tenant;
        for (let i = 0; i < count; i += 1) this.#watcher.observeAnswer(cell, outcome, whose);
      }
    }
  }
}
