// Contract level 2 in this cell's words: where its rules are kept, how far it has written, whether it has what was written next door.
import type { Rule, RuleStore } from '../contract/contract.ts';
import type { Homes, HomeStore } from '../homes.ts';
import { guestsSubscription, standbySubscription } from './names.ts';
import type { Pair } from './pair.ts';
import { NO_DATABASE } from './partner.ts';
import { appliedUpTo, writtenUpTo } from './position.ts';

/**
 * Each rule lies beside the rows that it is about, in a table that is replicated: the other side of the pair hears of it
 * without a router. A home whose database this cell does not have has none.
 * `mayTake`: whether a rule may be gone by.
 */
export function rulesBesideRows(homes: Homes, mayTake: (rule: Rule) => boolean): RuleStore {
  return {
    homes: homes.all().map(({ home }) => home),
    async load(home) {
      const rows = await homes
        .of(home)
        ?.database.query<{ rule: Rule }>('select rule from public.rules where home = $1', [home])
        .catch((error: unknown) => {
          if (isNotMadeYet(error)) return [];
          throw error;
        });
      return rows?.[0]?.rule ?? null;
    },
    async save(rule) {
      if (!mayTake(rule)) throw new Error('the database is empty, and its standby can not be asked');
      // A position is one router's word to the cell that gains tenants, not the rule's.
      const kept = JSON.stringify({ ...rule, position: null });
      await homes.of(rule.home)?.database.query(
        `insert into public.rules as known (home, epoch, rule) values ($1, $2, $3)
         on conflict (home) do update set epoch = excluded.epoch, rule = excluded.rule
           where known.epoch <= excluded.epoch`,
        [rule.home, rule.epoch, kept],
      );
    },
  };
}

/** The answer to a closing rule at the cell that loses tenants; null where nothing is replicated that they have. */
export async function positionOf(
  homes: Homes,
  cell: string,
  { home, neighbour }: Rule,
): Promise<string | null> {
  const store = homes.of(home);
  if (store === null || neighbour === null) return null;
  return writtenUpTo(store.database, cell);
}

/** Resolves once the cell that gains tenants has everything up to `position`. */
export async function untilApplied(
  homes: Homes,
  { home }: Rule,
  position: string,
  signal: AbortSignal,
  pair: Pair,
): Promise<void> {
  const store = homes.of(home);
  if (store === null) throw new Error('nothing is replicated from there');
  const publisher = (): string | null => pair.publisherInto(store);
  await appliedUpTo(store.database, subscriptionInto(store), position, signal, publisher);
}

function subscriptionInto({ home, role }: HomeStore): string {
  return role === 'home' ? guestsSubscription(home) : standbySubscription(home);
}

/** A standby's database is made at the first contact with its home. */
function isNotMadeYet(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code === NO_DATABASE;
}
