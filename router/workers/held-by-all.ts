// A handover is confirmed to the store once every worker has nothing inside the cell that loses tenants. Pure.
import type { HealthRecord } from '../health/record.ts';

type Closing = { epoch: number; by: Set<number> };

export class HeldByAll {
  readonly #confirm: (home: string, epoch: number) => void;
  readonly #workers = new Set<number>();
  /** By home; a handover that all have confirmed stays until it ends, so that it is confirmed once. */
  readonly #closing = new Map<string, Closing & { confirmed: boolean }>();

  /** `confirm`: this machine has nothing inside, by the record of this epoch. */
  constructor(confirm: (home: string, epoch: number) => void) {
    this.#confirm = confirm;
  }

  /** These records are in force from now on. Workers are told of them after this. */
  follow(records: readonly Pick<HealthRecord, 'home' | 'epoch' | 'phase'>[]): void {
    for (const { home, epoch, phase } of records) {
      if (phase === 'closing') this.#closing.set(home, { epoch, by: new Set(), confirmed: false });
      else this.#closing.delete(home);
    }
    this.#look();
  }

  /**
   * A worker is told all that is in force and serves by it from now on. It is waited for, though it has nothing inside: it
   * says so at once.
   */
  joined(worker: number): void {
    this.#workers.add(worker);
  }

  /** It has ended, and nothing of it is inside any cell: it is waited for no more. */
  left(worker: number): void {
    this.#workers.delete(worker);
    for (const { by } of this.#closing.values()) by.delete(worker);
    this.#look();
  }

  /** The worker has nothing inside by the record of this epoch, and nothing comes to be. */
  held(worker: number, home: string, epoch: number): void {
    const closing = this.#closing.get(home);
    if (closing?.epoch !== epoch || !this.#workers.has(worker)) return;
    closing.by.add(worker);
    this.#look();
  }

  #look(): void {
    for (const [home, closing] of this.#closing) {
      if (closing.confirmed || closing.by.size < this.#workers.size) continue;
      closing.confirmed = true;
      this.#confirm(home, closing.epoch);
    }
  }
}
