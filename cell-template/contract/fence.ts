// Which tenants are the cell's own, by the newest rule that it knows of their home; also across a restart, and a sleep.
import { isDeepStrictEqual } from 'node:util';
import { Begun } from './begun.ts';
import type { Rule } from './rule.ts';
import { isServedAt } from './served-by.ts';

/** Where rules outlive the process. */
export type RuleStore = {
  /** Homes whose rules may be stored here: health shows them from the start, as what the cell knew last. */
  homes?: readonly string[];
  /** The stored rule of a home; asked when a rule of it is first brought, and again after a sleep. */
  load(home: string): Promise<Rule | null>;
  /** Resolves once the rule would be there after a restart. Before that nobody is served by it. */
  save(rule: Rule): Promise<void>;
};

/** Whether the cell is to serve a tenant; if so by the rule of which epoch, if not the epoch it knows (0: none). */
export type Judged = { own: boolean; epoch: number };

/** What the cell knows of one home. */
type Known = {
  /** What it refuses by, from the moment on at which it hears of it. */
  newest: Rule | null;
  /** What it serves by: brought since the last start or sleep, and stored. Null: it serves nobody of this home. */
  confirmed: Rule | null;
  /** What the store holds, as far as this process knows; undefined: not asked since the last start or sleep. */
  stored: Rule | null | undefined;
  /** The end of what is being loaded and saved: one at a time. */
  turn: Promise<void>;
};

/** The cell was asleep while it took a rule: it may be an old one by now. */
class SleptMeanwhile extends Error {
  override name = 'SleptMeanwhile';
}

export class Fence {
  readonly #cell: string;
  readonly #store: RuleStore | null;
  readonly #homes = new Map<string, Known>();
  readonly #listeners: ((rule: Rule) => void)[] = [];
  readonly begun = new Begun();
  #sleeps = 0;

  /** `store`: null: rules are kept in memory alone. */
  constructor(cell: string, store: RuleStore | null) {
    this.#cell = cell;
    this.#store = store;
  }

  /** Reads the rules that may be stored. Rejects where one can not be read; it is read when it is needed, then. */
  async recall(): Promise<void> {
    const homes = this.#store?.homes ?? [];
    await Promise.all(homes.map((home) => this.#inTurn(home, (known) => this.#load(home, known))));
  }

  /**
   * Takes a rule that a router brought. One that is no older than the known and the stored one is refused by at once, and
   * served by once it is stored. Rejects where the store fails, and where the cell was asleep meanwhile.
   */
  async take(rule: Rule): Promise<void> {
    const sleeps = this.#sleeps;
    if (this.epochOf(rule.home) <= rule.epoch && this.#homes.has(rule.home)) this.#learnt(rule);
    await this.#inTurn(rule.home, async (known) => {
      await this.#load(rule.home, known);
      if ((known.newest?.epoch ?? 0) > rule.epoch) return;
      if (known.newest !== rule) this.#learnt(rule);
      await this.#save(rule, known, sleeps);
      this.#slept(sleeps);
      // Of a newer one that came meanwhile nobody knows yet whether a router has it.
      if (this.epochOf(rule.home) > rule.epoch) return;
      known.confirmed = rule;
      this.#tell(rule);
    });
  }

  /**
   * Hears of a rule in another way, for example by replication. A newer one is refused by at once. Where the home is
   * confirmed it is served by, too: it is the newest that is known. Where it is not, that is left to a router.
   */
  learn(rule: Rule): void {
    if (this.epochOf(rule.home) >= rule.epoch) return;
    const known = this.#known(rule.home);
    if (known.confirmed !== null) known.confirmed = rule;
    this.#learnt(rule);
  }

  /** The epoch of the newest rule that is known of a home; 0: none. */
  epochOf(home: string): number {
    return this.ruleOf(home)?.epoch ?? 0;
  }

  ruleOf(home: string): Rule | null {
    return this.#homes.get(home)?.newest ?? null;
  }

  isConfirmed(home: string): boolean {
    return this.#homes.get(home)?.confirmed != null;
  }

  /** `epoch`: the one that the request came with; work beside requests goes by the newest rule. */
  judge(home: string, tenant: string, epoch = Number.POSITIVE_INFINITY): Judged {
    const { newest, confirmed } = this.#homes.get(home) ?? { newest: null, confirmed: null };
    if (newest === null) return { own: false, epoch: 0 };
    if (confirmed === null) return { own: false, epoch: newest.epoch };
    const own = isServedAt(this.#cell, newest, tenant, epoch);
    if (newest === confirmed || !own) return { own, epoch: newest.epoch };
    // The newest is on its way into the store: whom both give to this cell it goes on serving, by the one before.
    if (!isServedAt(this.#cell, confirmed, tenant, epoch)) return { own: false, epoch: newest.epoch };
    return { own, epoch: confirmed.epoch };
  }

  /** As after a restart: the rules may have changed meanwhile, those in the store as well. */
  doubt(): void {
    this.#sleeps += 1;
    for (const known of this.#homes.values()) {
      known.confirmed = null;
      known.stored = undefined;
    }
    this.begun.lookAgain();
  }

  /** Called with each rule that the cell comes to refuse by, and again once it serves by it. */
  onRule(listener: (rule: Rule) => void): void {
    this.#listeners.push(listener);
  }

  /** What `/health` adds: the epochs of the homes whose rule is confirmed, and the newest rules. */
  describe(): { epochs: Record<string, number>; rules: Record<string, Rule> } {
    const all = [...this.#homes];
    return {
      epochs: Object.fromEntries(
        all.flatMap(([home, { confirmed }]) => (confirmed === null ? [] : [[home, confirmed.epoch]])),
      ),
      rules: Object.fromEntries(
        all.flatMap(([home, { newest }]) => (newest === null ? [] : [[home, newest]])),
      ),
    };
  }

  #known(home: string): Known {
    const known = this.#homes.get(home) ?? {
      newest: null,
      confirmed: null,
      stored: undefined,
      turn: Promise.resolve(),
    };
    this.#homes.set(home, known);
    return known;
  }

  #inTurn(home: string, work: (known: Known) => Promise<void>): Promise<void> {
    const known = this.#known(home);
    const result = known.turn.then(() => work(known));
    known.turn = result.catch(() => undefined);
    return result;
  }

  async #load(home: string, known: Known): Promise<void> {
    if (this.#store === null || known.stored !== undefined) return;
    const sleeps = this.#sleeps;
    const stored = await this.#store.load(home);
    this.#slept(sleeps);
    known.stored = stored;
    if (stored !== null && stored.epoch > this.epochOf(home)) this.learn(stored);
  }

  async #save(rule: Rule, known: Known, sleeps: number): Promise<void> {
    // The same rule comes from each router.
    if (this.#store === null || isDeepStrictEqual(known.stored, rule)) return;
    // Until it has answered nobody knows what is there: a rule that comes next is saved in any case.
    known.stored = null;
    await this.#store.save(rule);
    this.#slept(sleeps);
    known.stored = rule;
  }

  /** What was begun before a sleep is not to be gone by after it. */
  #slept(before: number): void {
    if (before !== this.#sleeps) throw new SleptMeanwhile('the cell was asleep meanwhile');
  }

  #learnt(rule: Rule): void {
    this.#known(rule.home).newest = rule;
    this.#tell(rule);
    this.begun.lookAgain();
  }

  #tell(rule: Rule): void {
    for (const listener of this.#listeners) listener(rule);
  }
}
