// How far this router is with each handover that it knows of: told with each beat, and at once when it changes.
import type { HealthRecord } from './record.ts';
import type { Confirmation } from './store.ts';

export class Confirmations {
  readonly #byHome = new Map<string, Confirmation>();
  readonly #changed: () => void;

  /** `changed`: something is to be told. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** These records are followed from now on, also those of homes that this router's fleet does not have. */
  follow(records: readonly HealthRecord[]): void {
    for (const { home, epoch, phase } of records) {
      if (phase === 'closing') this.#byHome.set(home, { epoch, held: false, ready: false });
      else this.#byHome.delete(home);
    }
    if (records.some(({ phase }) => phase === 'closing')) this.#changed();
  }

  /** Nothing of the tenants that change is inside the cell that loses them, and nothing comes to be. */
  held(home: string, epoch: number): void {
    this.#confirm(home, epoch, { held: true });
  }

  /** The cells took the rule. */
  ready(home: string, epoch: number): void {
    this.#confirm(home, epoch, { ready: true });
  }

  /** By home. */
  get told(): Record<string, Confirmation> {
    return Object.fromEntries(this.#byHome);
  }

  #confirm(home: string, epoch: number, what: Partial<Confirmation>): void {
    const known = this.#byHome.get(home);
    if (known?.epoch !== epoch) return;
    this.#byHome.set(home, { ...known, ...what });
    this.#changed();
  }
}
