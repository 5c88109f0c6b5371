// The quarantine as this router knows it, in memory: each request asks it, and none waits for more.
import { steadyNow } from './cells/cell-clock.ts';
import { byTenant, isOver, type QuarantineChange, type QuarantineEntry } from './verdicts/quarantine.ts';
import type { BeatReply } from './store.ts';

type Told = Pick<BeatReply, 'storeMs' | 'revision' | 'incarnation' | 'quarantine'>;

export class QuarantineList {
  readonly #entries = new Map<string, QuarantineEntry>();
  readonly #listeners: ((change: QuarantineChange) => void)[] = [];
  readonly #followers: ((change: QuarantineChange) => void)[] = [];
  /** How far the store's clock is from this process' own, which nobody sets: entries end by the store's. */
  #aheadMs = 0;
  /** The newest change that is known: a list from before it is old news. */
  #revision = 0;
  #incarnation: string | null = null;

  /** Called with each tenant that is refused from now on, and each that is refused no more. */
  onChange(listener: (change: QuarantineChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Called with every change, also of an entry that stays one: whoever keeps the same list. */
  follow(follower: (change: QuarantineChange) => void): void {
    this.#followers.push(follower);
  }

  /** How far the store's clock is ahead of `steadyNow`, in milliseconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** For how many whole seconds more a tenant is refused; 0: it is not. Nothing to look up where nobody is. */
  refusedForS(tenant: string): number {
    if (this.#entries.size === 0) return 0;
    const entry = this.of(tenant);
    return entry === null ? 0 : Math.max(1, Math.ceil((entry.until - this.#storeNow) / 1_000));
  }

  /** Null: the tenant is not refused, or not any more. */
  of(tenant: string): QuarantineEntry | null {
    const entry = this.#entries.get(tenant);
    return entry === undefined || isOver(entry, this.#storeNow) ? null : entry;
  }

  /** Who is refused now, by name. */
  get entries(): QuarantineEntry[] {
    const now = this.#storeNow;
    return [...this.#entries.values()].filter((entry) => !isOver(entry, now)).sort(byTenant);
  }

  /** The store's whole list, where it told one, takes the place of this one. */
  told({ storeMs, revision, incarnation, quarantine }: Told): void {
    this.#aheadMs = storeMs - steadyNow();
    const old = incarnation === this.#incarnation && revision < this.#revision;
    if (quarantine === null || old) return;
    this.#revision = revision;
    this.#incarnation = incarnation;
    const named = new Set(quarantine.map(({ tenant }) => tenant));
    for (const tenant of Array.from(this.#entries.keys())) if (!named.has(tenant)) this.#change(tenant, null);
    this.merge(quarantine);
  }

  /** A store that lost something knows these, and not what is known here beside them. */
  merge(entries: readonly QuarantineEntry[]): void {
    for (const entry of entries) this.#change(entry.tenant, entry);
  }

  /** The store told what has just changed; `revision`: the one that it made. */
  apply(changes: readonly QuarantineChange[], revision: number): void {
    if (changes.length === 0) return;
    this.#revision = Math.max(this.#revision, revision);
    for (const { tenant, entry } of changes) this.#change(tenant, entry);
  }

  /** What the store answered an operator with. */
  learn(tenant: string, entry: QuarantineEntry | null): void {
    this.#change(tenant, entry);
  }

  get #storeNow(): number {
    return steadyNow() + this.#aheadMs;
  }

  #change(tenant: string, entry: QuarantineEntry | null): void {
    const known = this.#entries.has(tenant);
    if (entry === null) this.#entries.delete(tenant);
    else this.#entries.set(tenant, entry);
    if (known || entry !== null) for (const follower of this.#followers) follower({ tenant, entry });
    if (known !== (entry !== null)) for (const listener of this.#listeners) listener({ tenant, entry });
  }
}
