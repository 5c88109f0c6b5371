// The quarantine in Redis: how an operator's wish is asked of its script, and how its entries come back.
import type { QuarantineEntry } from './quarantine.ts';
import { script, type RedisCalls } from './redis-calls.ts';
import { StoreUnavailable } from './store.ts';
import { quarantineAnswer, readEntry } from './quarantine-wire.ts';

const BY_HAND = script('common', 'state', 'quarantine', 'quarantine-by-hand');

/** `question`: the script's. Rejects with `StoreUnavailable`, too, where nothing may be changed. */
export async function askByHand(
  calls: RedisCalls,
  keys: string[],
  question: string,
): Promise<{ entry: QuarantineEntry } | { refused: 'too-many' | 'not-found' }> {
  const parsed = quarantineAnswer.safeParse(await calls.run(BY_HAND, keys, [question]));
  if (!parsed.success) throw new StoreUnavailable('Redis answered an operator with something else');
  const [answer, json] = parsed.data;
  if (answer === 'behind') throw new StoreUnavailable('the store lost records and has not got them back yet');
  if (answer === 'passive') throw new StoreUnavailable('the store is led by a newer release');
  if (answer !== 'done') return { refused: answer };
  const entry = readEntry(json);
  if (entry === null) throw new StoreUnavailable('Redis holds a malformed entry of the quarantine');
  return { entry };
}

/** Entries to bring back, as `restore.lua` takes them. */
export function entryRows(entries: readonly QuarantineEntry[]): unknown[] {
  return entries.map((entry) => {
    const { until, since, tenant, home, actor, owner, reason } = entry;
    // The script reads the two times at the beginning, and nothing else.
    return [tenant, until, since, JSON.stringify({ until, since, tenant, home, actor, owner, reason })];
  });
}
