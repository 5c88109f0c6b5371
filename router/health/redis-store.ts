// The store that routers share: votes, verdicts and the audit log in one Redis, decided by one script.
import { randomUUID } from 'node:crypto';
import { isEventId } from './event-id.ts';
import { boundedWish } from './operate.ts';
import type { HealthEvent, HealthRecord } from './record.ts';
import { beatCaller } from './redis-beat.ts';
import { redisCalls, script } from './redis-calls.ts';
import { tellLoad, toldLoads } from './redis-loads.ts';
import { askByHand, entryRows } from './redis-quarantine.ts';
import { readEntry } from './quarantine-wire.ts';
import { keysOf, tenantSecondsOf } from './redis-ledger.ts';
import { subscribeTo, type Subscription } from './redis-subscription.ts';
import { parseRedisUrl } from './redis-url.ts';
import {
  BEAT_TTL_MS,
  PROTOCOL,
  StoreUnavailable,
  type FailOver,
  type FailOverRefusal,
  type Store,
} from './store.ts';
import { operateAnswer, readChange, readEvent, readLoad, readRecord } from './wire.ts';

const TIMEOUT_MS = 1_000;
const OPERATE = script('common', 'machines', 'tally', 'state', 'operate');
const RESTORE = script('common', 'state', 'quarantine', 'restore');

export type RedisStoreOptions = {
  /** `REDIS_URL`, in any form that `parseRedisUrl` reads. */
  url: string;
  /** `REDIS_PREFIX`: one per fleet. All keys share its hash tag, so that a Cluster keeps them together. */
  prefix: string;
  /** Within this every call is answered or rejects. */
  timeoutMs?: number;
  /** Epoch milliseconds to go by instead of Redis' own clock: for tests of what time does to a verdict. */
  now?: () => number;
  /** How long after a silence nothing is decided: `BEAT_TTL_MS`; less only in tests that wait for no other machine. */
  warmUpMs?: number;
  /** What this release speaks: another only in tests of two releases side by side. */
  protocol?: number;
};

export type RedisStore = Store & {
  /** Records, events and messages of Redis that were dropped so far because they were malformed. */
  malformedCount(): number;
};

/**
 * Connects in the background and returns at once: calls reject with `StoreUnavailable` until Redis is there.
 * Needs Redis 6 or newer, or Valkey. Throws `RedisUrlError` for a wrong URL.
 */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const protocol = options.protocol ?? PROTOCOL;
  const address = parseRedisUrl(options.url);
  const keys = keysOf(options.prefix);
  const { channel } = keys;
  let subscription: Subscription | null = null;
  let malformed = 0;
  const calls = redisCalls(address, timeoutMs, () => subscription?.renew());
  const warmUpMs = options.warmUpMs ?? BEAT_TTL_MS;
  const beats = beatCaller(calls, { keys, timeoutMs, protocol, warmUpMs, now: options.now });

  function wellFormed<T>(values: (T | null)[]): T[] {
    const kept = values.filter((value) => value !== null);
    malformed += values.length - kept.length;
    return kept;
  }

  function ask(question: Record<string, unknown>): string {
    const now = options.now?.();
    return JSON.stringify({ channel, protocol, name: randomUUID(), ttlMs: BEAT_TTL_MS, now, ...question });
  }

  async function failOver(wish: FailOver): Promise<{ record: HealthRecord } | FailOverRefusal> {
    const { neighbour, ...bounded } = boundedWish(wish);
    const question = ask({ ...bounded, ...beats.known(), ...(neighbour === null ? {} : { neighbour }) });
    const parsed = operateAnswer.safeParse(await calls.run(OPERATE, keys.shared, [question]));
    if (!parsed.success) throw new StoreUnavailable('Redis answered an operator with something else');
    const [answer, rule, json] = parsed.data;
    if (answer === 'behind')
      throw new StoreUnavailable('the store lost records and has not got them back yet');
    if (answer === 'passive') throw new StoreUnavailable('the store is led by a newer release');
    if (answer === 'target-down' || answer === 'target-drained') return { refused: answer, rule };
    if (answer !== 'done' && answer !== 'already-away') return { refused: answer, rule: null };
    const [record] = wellFormed([readRecord(json)]);
    if (record === undefined) throw new StoreUnavailable('Redis holds a malformed record');
    return answer === 'done' ? { record } : { refused: answer, rule: null, record };
  }

  return {
    kind: 'redis',
    malformedCount: () => malformed,
    async beat(one) {
      const { raw, rawQuarantine, ...reply } = await beats.beat(one);
      const quarantine = rawQuarantine === null ? null : wellFormed(rawQuarantine.map(readEntry));
      return { ...reply, records: wellFormed(raw.map(readRecord)), quarantine };
    },
    failOver,
    change: async () => await Promise.reject(new StoreUnavailable('not there yet')),
    async quarantine(wish) {
      const question = ask({ ...boundedWish(wish), ...beats.known(), wish: 'quarantine' });
      const answer = await askByHand(calls, keys.shared, question);
      return 'entry' in answer ? answer : { refused: 'too-many' };
    },
    async unquarantine(wish) {
      const bounded = boundedWish({ ...wish, expiresInMs: 0 });
      const question = ask({ ...bounded, ...beats.known(), wish: 'unquarantine' });
      const answer = await askByHand(calls, keys.shared, question);
      return 'entry' in answer ? answer : { refused: 'not-found' };
    },
    async restore(records, revision, quarantine = []) {
      const args = records.flatMap((record) => [record.home, String(record.epoch), JSON.stringify(record)]);
      const question = ask({ knownRevision: revision, quarantine: entryRows(quarantine) });
      await calls.run(RESTORE, keys.shared, [question, ...args]);
    },
    async leave(router) {
      await calls.call((client) => client.hdel(keys.routers, router));
      await calls.call((client) => client.del(keys.load(router)));
    },
    tellLoad: async (router, loads) => await tellLoad(calls, keys, router, loads),
    async loads(routers) {
      const texts = await toldLoads(calls, keys, routers);
      const told = texts.flatMap((text, i) => (text === null ? [] : { router: routers[i] ?? '', text }));
      const read = told.map(({ router, text }) => ({ router, loads: readLoad(text) }));
      malformed += read.filter(({ loads }) => loads === null).length;
      return new Map(read.flatMap(({ router, loads }) => (loads === null ? [] : [[router, loads]])));
    },
    async events(limit, after): Promise<HealthEvent[]> {
      if (after !== undefined && !isEventId(after)) throw new RangeError('not an event id');
      const start = after === undefined ? '-' : `(${after}`;
      const entries = await calls.call((client) =>
        client.xrevrange(keys.events, '+', start, 'COUNT', Math.max(1, limit)),
      );
      const read = wellFormed(entries.slice(0, limit).map(([id, [, json]]) => readEvent(id, json ?? '')));
      const refused = await tenantSecondsOf(calls, keys, read);
      return read.map((event, i) => ({ ...event, tenantSecondsRefused: refused[i] ?? null }));
    },
    subscribe(onChange, onStale) {
      subscription = subscribeTo(address, timeoutMs, channel, onStale, (message) => {
        const change = readChange(message);
        malformed += change?.malformed ?? 1;
        if (change === null || change.records.length + change.quarantine.length === 0) return;
        onChange(change.records, change.revision, change.quarantine);
      });
    },
    async close() {
      subscription?.close();
      calls.close();
    },
  };
}
