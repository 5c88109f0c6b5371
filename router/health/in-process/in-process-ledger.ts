// The tenant-seconds of refusals of a router that stands alone: which tenant was refused in which second, per incident.
import type { Refusals } from '../store.ts';

/** What is more is forgotten: the oldest incident, and marks of an incident that goes on and on. */
const INCIDENTS_MAX = 100;
const MARKS_PER_INCIDENT_MAX = 100_000;

export class InProcessLedger {
  readonly #marks = new Map<string, Set<string>>();

  add({ home, epoch, marks }: Refusals): void {
    const key = `${home}:${epoch}`;
    const kept = this.#marks.get(key) ?? new Set();
    this.#marks.set(key, kept);
    for (const mark of marks) if (kept.size < MARKS_PER_INCIDENT_MAX) kept.add(mark);
    const [oldest] = this.#marks.keys();
    if (this.#marks.size > INCIDENTS_MAX && oldest !== undefined) this.#marks.delete(oldest);
  }

  /** How many different marks these epochs of the home have together; null: none. */
  count(home: string, epochs: readonly number[]): number | null {
    const sets = epochs.map((epoch) => this.#marks.get(`${home}:${epoch}`) ?? new Set<string>());
    const union = new Set(sets.flatMap((set) => [...set]));
    return union.size === 0 ? null : union.size;
  }
}
