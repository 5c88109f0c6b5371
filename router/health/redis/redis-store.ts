// The store that routers share: votes, verdicts and the audit log in one Redis, decided by one script.
import { randomUUID } from 'node:crypto';
import { isEventId } from '../event-id.ts';
import type { HealthEvent } from '../record.ts';
import { beatCaller } from './redis-beat.ts';
import { redisCalls, script, STATE_PARTS } from './redis-calls.ts';
import { tellLoad, toldLoads } from './redis-loads.ts';
import { entryRows, quarantineCaller } from './redis-quarantine.ts';
import { readEntry } from './quarantine-wire.ts';
import { keysOf, tenantSecondsOf } from './redis-ledger.ts';
import { subscribeTo, type Subscription } from './redis-subscription.ts';
import { parseRedisUrl } from './redis-url.ts';
import { wishCaller } from './redis-wishes.ts';
import { BEAT_TTL_MS, PROTOCOL, type Store } from '../store.ts';
import { readChange, readEvent, readLoad, readRecord } from './wire.ts';

const TIMEOUT_MS = 1_000;
const RESTORE = script(...STATE_PARTS, 'quarantine', 'restore');

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

  const wishing = {
    keys: keys.shared,
    ask: (question: Record<string, unknown>) => ask({ ...question, ...beats.known(), warmUpMs }),
    hear: beats.hear,
    onMalformed: () => (malformed += 1),
  };
  const wishes = wishCaller(calls, wishing);
  const quarantines = quarantineCaller(calls, wishing);

  return {
    kind: 'redis',
    malformedCount: () => malformed,
    async beat(one) {
      const { raw, rawQuarantine, ...reply } = await beats.beat(one);
      const quarantine = rawQuarantine === null ? null : wellFormed(rawQuarantine.map(readEntry));
      return { ...reply, records: wellFormed(raw.map(readRecord)), quarantine };
    },
    ...wishes,
    ...quarantines,
    async restore(records, revision, quarantine = []) {
      const args = records.flatMap((record) => [record.home, String(record.epoch), JSON.stringify(record)]);
      const knownRevision = Math.max(revision, beats.known().heardRevision);
      const question = ask({ knownRevision, quarantine: entryRows(quarantine) });
      await calls.run(RESTORE, keys.shared, [question, ...args]);
    },
    async leave(machine) {
      await calls.call((client) => client.hdel(keys.routers, machine));
      await calls.call((client) => client.del(keys.load(machine)));
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
        if (change !== null) beats.hear(change.revision);
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
