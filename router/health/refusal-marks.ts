// Who was refused when, for the ledger of an incident: one mark for each tenant and second, however many requests.
import { xxh32 } from '../placement/hash.ts';
import { MARKS_MAX, type Refusals } from './store.ts';

export class RefusalMarks {
  #marks = new Map<string, { home: string; epoch: number; marks: Set<string> }>();

  /** A request of `tenant` was refused while `home` stood at `epoch`. A mark tells no tenant: it is a hash. */
  count(home: string, epoch: number, tenant: string, nowMs: number): void {
    const key = `${home} ${epoch}`;
    const known = this.#marks.get(key) ?? { home, epoch, marks: new Set<string>() };
    this.#marks.set(key, known);
    if (known.marks.size < MARKS_MAX)
      known.marks.add(`${xxh32(tenant, 0).toString(16)}:${Math.floor(nowMs / 1000)}`);
  }

  /** What is to be told with the next beat. It stays until `told`: telling it twice counts once. */
  get pending(): Refusals[] {
    return [...this.#marks.values()].map(({ home, epoch, marks }) => ({ home, epoch, marks: [...marks] }));
  }

  /** The store has taken these. */
  told(taken: readonly Refusals[]): void {
    for (const { home, epoch, marks } of taken) {
      const key = `${home} ${epoch}`;
      const known = this.#marks.get(key);
      for (const mark of marks) known?.marks.delete(mark);
      if (known?.marks.size === 0) this.#marks.delete(key);
    }
  }
}
