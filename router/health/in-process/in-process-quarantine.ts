// The quarantine of a router that stands alone, and whom it suspects: what `quarantine.ts` and `suspects.ts` decide, kept.
import {
  byTenant,
  isOver,
  quarantineByHand,
  quarantineBySight,
  QUARANTINE_MAX,
  releaseByHand,
  type QuarantineChange,
  type QuarantineEntry,
  type QuarantineStep,
  type QuarantineWish,
  type ReleaseWish,
} from '../verdicts/quarantine.ts';
import type { EventEntry, HealthRecord } from '../record.ts';
import { boundedAccusations, judge, type Sight, type Suspects } from '../verdicts/suspects.ts';

/** Takes what was decided: the revision rises, the events are kept, whoever listens is told. */
type Commit = (changes: QuarantineChange[], events: EventEntry[]) => void;

const NOTHING: Sight['accusations'] = { deaths: [], failing: [] };

export class InProcessQuarantine {
  readonly #list = new Map<string, QuarantineEntry>();
  readonly #records: ReadonlyMap<string, HealthRecord>;
  readonly #commit: Commit;
  #suspects: Suspects = { dying: new Map(), suspicions: new Map() };

  constructor(records: ReadonlyMap<string, HealthRecord>, commit: Commit) {
    this.#records = records;
    this.#commit = commit;
  }

  /** By name. */
  get entries(): QuarantineEntry[] {
    return structuredClone([...this.#list.values()].sort(byTenant));
  }

  /** At each beat, before any verdict. */
  look(seen: Omit<Sight, 'accusations'> & { accusations: Sight['accusations'] | undefined }): void {
    const accusations = boundedAccusations(seen.accusations ?? NOTHING);
    const { culprits, ...suspects } = judge(this.#suspects, { ...seen, accusations });
    this.#suspects = suspects;
    this.#take(quarantineBySight(culprits, this.#list, { now: seen.now, records: this.#records }));
  }

  quarantine(wish: QuarantineWish, now: number): { entry: QuarantineEntry } | { refused: 'too-many' } {
    const step = quarantineByHand(wish, this.#list, { now, records: this.#records });
    if (step !== null) this.#take(step);
    const entry = this.#list.get(wish.tenant);
    return step === null || entry === undefined ? { refused: 'too-many' } : structuredClone({ entry });
  }

  release(wish: ReleaseWish, now: number): { entry: QuarantineEntry } | { refused: 'not-found' } {
    const entry = this.#list.get(wish.tenant);
    const step = releaseByHand(wish, this.#list, { now, records: this.#records });
    if (step === null || entry === undefined) return { refused: 'not-found' };
    this.#take(step);
    return { entry };
  }

  /** Answers what is refused again. */
  restore(entries: readonly QuarantineEntry[], now: number): QuarantineChange[] {
    const restored: QuarantineChange[] = [];
    for (const entry of entries) {
      if (this.#list.has(entry.tenant) || this.#list.size >= QUARANTINE_MAX || isOver(entry, now)) continue;
      this.#list.set(entry.tenant, structuredClone(entry));
      restored.push({ tenant: entry.tenant, entry });
    }
    return restored;
  }

  #take({ changes, events }: QuarantineStep): void {
    for (const { tenant, entry } of changes) {
      if (entry === null) this.#list.delete(tenant);
      else this.#list.set(tenant, entry);
    }
    if (changes.length > 0) this.#commit(changes, events);
  }
}
