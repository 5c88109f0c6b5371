// The fence of a level 1 cell: which tenants are its own by the newest rule it knows, also across a restart.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Rule } from '../../router/health/record.ts';
import { isWithin } from '../../router/health/verdicts/moved.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import { bucketOf } from '../../router/placement/hash.ts';

export type { Rule };

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

  /** Takes a rule that is no older than the stored one. */
  take(rule: Rule): void {
    if (this.epochOf(rule.home) > rule.epoch) return;
    this.#rules.set(rule.home, rule);
    this.#confirmed.add(rule.home);
    this.#store();
  }

  /** The epoch that is known for a home; 0: none. */
  epochOf(home: string): number {
    return this.#rules.get(home)?.epoch ?? 0;
  }

  /** Whether this cell is to serve a request of a tenant of `home`; if not, the epoch it knows (0: none). */
  judge(home: string, tenant: string, epoch: number): { own: true } | { own: false; epoch: number } {
    const rule = this.#rules.get(home);
    if (rule === undefined) return { own: false, epoch: 0 };
    const own = this.#confirmed.has(home) && isOwn(rule, this.#cell, tenant, epoch);
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

/**
 * Whether `cell` is to serve a request of the tenant by this rule. `epoch`: the one that the request came with. One that
 * was sent by an older rule is not its own either where this rule says that the tenant has another home.
 */
export function isOwn(rule: Rule, cell: string, tenant: string, epoch: number): boolean {
  if (servedBy(rule, tenant) !== cell) return false;
  return epoch >= rule.epoch || !hasMoved(rule, tenant);
}

function hasMoved({ moved }: Rule, tenant: string): boolean {
  if (moved.length === 0) return false;
  const bucket = bucketOf(tenant);
  return moved.some((entry) => {
    if ('tenant' in entry) return entry.tenant === tenant;
    return isWithin(bucket, entry.buckets);
  });
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
