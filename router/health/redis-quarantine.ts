// The quarantine in Redis: how an operator's wish is asked of its script, and how entries are brought back.
import { boundedWish } from './operate.ts';
import type { QuarantineEntry } from './quarantine.ts';
import { quarantineAnswer, readEntry } from './quarantine-wire.ts';
import { script, STATE_PARTS, type RedisCalls } from './redis-calls.ts';
import { undecided } from './redis-wishes.ts';
import { StoreUnavailable, type Store } from './store.ts';

const BY_HAND = script(...STATE_PARTS, 'quarantine', 'quarantine-by-hand');

/** `ask` writes the first argument of a script. Each call rejects with `StoreUnavailable` where nothing may be changed. */
export function quarantineCaller(
  calls: RedisCalls,
  { keys, ask }: { keys: string[]; ask: (question: Record<string, unknown>) => string },
): Pick<Store, 'quarantine' | 'unquarantine'> {
  async function answerTo(
    question: Record<string, unknown>,
  ): Promise<{ entry: QuarantineEntry } | { refused: 'too-many' | 'not-found' }> {
    const parsed = quarantineAnswer.safeParse(await calls.run(BY_HAND, keys, [ask(question)]));
    if (!parsed.success) throw new StoreUnavailable('Redis answered an operator with something else');
    const [answer, json] = parsed.data;
    if (answer === 'behind' || answer === 'passive') throw undecided(answer);
    if (answer !== 'done') return { refused: answer };
    const entry = readEntry(json);
    if (entry === null) throw new StoreUnavailable('Redis holds a malformed entry of the quarantine');
    return { entry };
  }

  return {
    async quarantine(wish) {
      const answer = await answerTo({ ...boundedWish(wish), wish: 'quarantine' });
      return 'entry' in answer ? answer : { refused: 'too-many' };
    },
    async unquarantine(wish) {
      const bounded = boundedWish({ ...wish, expiresInMs: 0 });
      const answer = await answerTo({ ...bounded, wish: 'unquarantine' });
      return 'entry' in answer ? answer : { refused: 'not-found' };
    },
  };
}

/** Entries to bring back, as `restore.lua` takes them. */
export function entryRows(entries: readonly QuarantineEntry[]): unknown[] {
  return entries.map(({ until, since, tenant, home, actor, owner, reason }) => {
    // The scripts read the two times at the beginning, and no more.
    return [tenant, until, since, JSON.stringify({ until, since, tenant, home, actor, owner, reason })];
  });
}
