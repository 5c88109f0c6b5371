// The quarantine in Redis: how an operator's wish is asked of its script, and how entries are brought back.
import { boundedWish } from '../verdicts/operate.ts';
import type { QuarantineEntry } from '../verdicts/quarantine.ts';
import { quarantineAnswer, readEntry } from './quarantine-wire.ts';
import { script, STATE_PARTS, type RedisCalls } from './redis-calls.ts';
import { undecided, type Setting } from './redis-wishes.ts';
import { StoreUnavailable, type Store } from '../store.ts';

const BY_HAND = script(...STATE_PARTS, 'quarantine', 'quarantine-by-hand');

/** `ask` writes the first argument of a script. Each call rejects with `StoreUnavailable` where nothing may be changed. */
export function quarantineCaller(
  calls: RedisCalls,
  { keys, ask, hear }: Pick<Setting, 'keys' | 'ask' | 'hear'>,
): Pick<Store, 'quarantine' | 'unquarantine'> {
  async function answerTo(
    question: Record<string, unknown>,
  ): Promise<{ entry: QuarantineEntry } | { refused: 'too-many' | 'not-found' }> {
    const parsed = quarantineAnswer.safeParse(await calls.run(BY_HAND, keys, [ask(question)]));
    if (!parsed.success) throw new StoreUnavailable('Redis answered an operator with something else');
    const { data } = parsed;
    if (data[0] === 'behind' || data[0] === 'passive') throw undecided(data[0]);
    if (data[0] !== 'done') return { refused: data[0] };
    hear(data[2]);
    const entry = readEntry(data[1]);
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
