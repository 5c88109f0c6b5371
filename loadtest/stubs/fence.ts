// The fence of a level 1 cell: which tenants are its own by the newest rule it knows, also across a restart.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Rule } from '../../router/health/record.ts';
import { xxh32 } from '../../router/placement/hash.ts';

export type { Rule };

/** Slots that an operation deals the tenants of a home into. */
const SLOTS = 10_000;

export class Fence {
  readonly #cell: string;
  readonly #file: string | null;
  readonly #rules = new Map<string, Rule>();
  /** The homes whose rule was brought, or brought again, since this process started or was last asleep. */
  readonly #confirmed = new Set<string>();

  /** `file` keeps the rules across a restart; null: none are kept. */
  constructor(cell: string, file: string | null) {
    this.#cell = cell;
    this.#file = file;
    for (const rule of storedRules(file)) this.#rules.set(rule.home, rule);
  }

  /** Takes a rule that is no older than the stored one. Answers the epoch that is known for its home now. */
  take(rule: Rule): number {
    const stored = this.#rules.get(rule.home);
    if (stored !== undefined && stored.epoch > rule.epoch) return stored.epoch;
    this.#rules.set(rule.home, rule);
    this.#confirmed.add(rule.home);
    this.#store();
    return rule.epoch;
  }

  /** Whether this cell is to serve a tenant of `home`; if not, the epoch it knows (0: none). */
  judge(home: string, tenant: string): { own: true } | { own: false; epoch: number } {
    const rule = this.#rules.get(home);
    if (rule === undefined) return { own: false, epoch: 0 };
    const own = this.#confirmed.has(home) && servedBy(rule, tenant) === this.#cell;
    return own ? { own } : { own, epoch: rule.epoch };
  }

  /** It was asleep, and the rules may have changed meanwhile: as after a restart they must be brought again. */
  doubt(): void {
    this.#confirmed.clear();
  }

  /** What `/health` adds: the epochs of the homes whose rule is confirmed, and the last rules brought. */
  describe(): { epochs: Record<string, number>; rules: Record<string, Rule> } {
    const confirmed = [...this.#rules].filter(([home]) => this.#confirmed.has(home));
    return {
      epochs: Object.fromEntries(confirmed.map(([home, { epoch }]) => [home, epoch])),
      rules: Object.fromEntries(this.#rules),
    };
  }

  /** A rename is whole or not at all: a kill can not leave half a file. */
  #store(): void {
    if (this.#file === null) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#rules.values()]));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** The cell that serves the tenant by this rule; null while its change of cell is under way. */
function servedBy(rule: Rule, tenant: string): string | null {
  const { home, target, share, shareBefore, phase, operation } = rule;
  const slot = operation === null ? 0 : xxh32(tenant, operation) % SLOTS;
  const at = (percent: number): string => (slot < percent * 100 ? (rule.neighbour ?? target) : home);
  if (phase === 'closing' && at(share) !== at(shareBefore)) return null;
  return at(share);
}

function storedRules(file: string | null): Rule[] {
  if (file === null) return [];
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Rule[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
