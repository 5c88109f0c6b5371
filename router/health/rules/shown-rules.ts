// What cells show of the rules they know: the best knowledge there is where the store can not tell more.
import { isDeepStrictEqual } from 'node:util';
import { anyAway } from '../verdicts/handover.ts';
import type { HealthRecord } from '../record.ts';
import type { HealthView } from '../view.ts';
import { readRule } from '../redis/wire.ts';

export class ShownRules {
  readonly #view: HealthView;
  /** Cell → home → a newer rule than this router's, as the cell's last health answer showed it. */
  readonly #byCell = new Map<string, ReadonlyMap<string, HealthRecord>>();

  constructor(view: HealthView) {
    this.#view = view;
  }

  /** A cell showed the rules it knows. */
  hear(cell: string, rules: Readonly<Record<string, unknown>>): void {
    const newer = new Map<string, HealthRecord>();
    for (const shown of Object.values(rules)) {
      // Nearly all are known: they need not be read.
      if (!this.#mayBeNewer(shown)) continue;
      const rule = readRule(shown);
      if (rule !== null && this.#isOfPair(cell, rule)) newer.set(rule.home, rule);
    }
    if (newer.size === 0) this.#byCell.delete(cell);
    else this.#byCell.set(cell, newer);
  }

  /**
   * Of each home the newest rule that is believed. `free`: homes that any cell of the pair is believed about, because the
   * store never told of them.
   */
  news(free: ReadonlySet<string>, isUnreachable: (cell: string) => boolean): HealthRecord[] {
    const best = new Map<string, HealthRecord>();
    for (const rules of this.#byCell.values()) {
      for (const rule of rules.values()) {
        if (rule.epoch <= (best.get(rule.home)?.epoch ?? 0)) continue;
        if (this.#isBelieved(rule, free, isUnreachable)) best.set(rule.home, rule);
      }
    }
    return [...best.values()];
  }

  #mayBeNewer(shown: unknown): boolean {
    const { home, epoch } = (shown ?? {}) as { home?: unknown; epoch?: unknown };
    if (typeof home !== 'string' || typeof epoch !== 'number' || !this.#view.has(home)) return false;
    return epoch > this.#view.recordOf(home).epoch;
  }

  /** The pair is the one that this router knows: a rule may call whoever shows it the neighbour. */
  #isOfPair(cell: string, { home, neighbour }: HealthRecord): boolean {
    if (cell === home) return true;
    return cell === neighbour && cell === this.#view.recordOf(home).neighbour;
  }

  /**
   * Where the store has told of the home (an old copy of it may have come back, or it is lost amid a handover) a newer
   * rule is believed of the cells that have tenants by the store's record: they refuse these until it is followed. Where
   * both cells of the pair have some, or may come to have, both must show it: one of them could else take what is the
   * other's. Only one that can not be reached need not.
   */
  #isBelieved(
    rule: HealthRecord,
    free: ReadonlySet<string>,
    isUnreachable: (cell: string) => boolean,
  ): boolean {
    const known = this.#view.recordOf(rule.home);
    if (rule.epoch <= known.epoch) return false;
    if (free.has(rule.home) || !this.#view.knows(rule.home)) return true;
    const concerned = cellsWithTenants(known);
    const silent = concerned.filter((cell) => !this.#shows(cell, rule));
    return silent.length < concerned.length && silent.every(isUnreachable);
  }

  #shows(cell: string, rule: HealthRecord): boolean {
    return isDeepStrictEqual(this.#byCell.get(cell)?.get(rule.home), rule);
  }
}

/** The cells that serve tenants of the home by its record, or did until a handover began, or will by its end. */
function cellsWithTenants(record: HealthRecord): string[] {
  const { home, neighbour, phase, share } = record;
  if (neighbour === null) return [home];
  if (phase === 'open' && share === 100) return [neighbour];
  return phase === 'open' && !anyAway(record) ? [home] : [home, neighbour];
}
