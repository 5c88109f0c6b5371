// The store that routers share: votes, verdicts and the audit log in one Redis, decided by one script.
import { randomUUID } from 'node:crypto';
import { isEventId } from './event-id.ts';
import type { HealthEvent } from './record.ts';
import { redisCalls, script, type RedisCalls } from './redis-calls.ts';
import { subscribeTo, type Subscription } from './redis-subscription.ts';
import { parseRedisUrl } from './redis-url.ts';
import { BEAT_TTL_MS, StoreUnavailable, type Beat, type BeatReply, type Store } from './store.ts';
import { boundedVotes } from './votes.ts';
import { beatAnswer, readChange, readEvent, readRecord } from './wire.ts';

const TIMEOUT_MS = 1_000;
const BEAT = script('beat');
const RESTORE = script('restore');

export type RedisStoreOptions = {
  /** `REDIS_URL`, in any form that `parseRedisUrl` reads. */
  url: string;
  /** `REDIS_PREFIX`: one per fleet. All keys share its hash tag, so that a Cluster keeps them together. */
  prefix: string;
  /** Within this every call is answered or rejects. */
  timeoutMs?: number;
  /** Epoch milliseconds to go by instead of Redis' own clock: for tests of what time does to a verdict. */
  now?: () => number;
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
  const address = parseRedisUrl(options.url);
  const tag = `{${options.prefix}}`;
  const keys = { routers: `${tag}:routers`, state: `${tag}:state`, events: `${tag}:events` };
  const channel = `${tag}:changes`;
  let subscription: Subscription | null = null;
  let malformed = 0;
  const calls = redisCalls(address, timeoutMs, () => subscription?.renew());
  const beat = beatCaller(calls, { ...options, timeoutMs, channel, keys: Object.values(keys) });

  function wellFormed<T>(values: (T | null)[]): T[] {
    const kept = values.filter((value) => value !== null);
    malformed += values.length - kept.length;
    return kept;
  }

  return {
    kind: 'redis',
    malformedCount: () => malformed,
    async beat(one) {
      const { raw, ...reply } = await beat(one);
      return { ...reply, records: wellFormed(raw.map(readRecord)) };
    },
    async restore(records, revision) {
      const args = records.flatMap((record) => [record.home, String(record.epoch), JSON.stringify(record)]);
      await calls.run(RESTORE, [keys.state], [channel, String(revision), randomUUID(), ...args]);
    },
    async leave(router) {
      await calls.call((client) => client.hdel(keys.routers, router));
    },
    async events(limit, after): Promise<HealthEvent[]> {
      if (after !== undefined && !isEventId(after)) throw new RangeError('not an event id');
      const start = after === undefined ? '-' : `(${after}`;
      const entries = await calls.call((client) =>
        client.xrevrange(keys.events, '+', start, 'COUNT', Math.max(1, limit)),
      );
      return wellFormed(entries.slice(0, limit).map(([id, [, json]]) => readEvent(id, json ?? '')));
    },
    subscribe(onChange, onStale) {
      subscription = subscribeTo(address, timeoutMs, channel, onStale, (message) => {
        const change = readChange(message);
        malformed += change?.malformed ?? 1;
        if (change !== null && change.records.length > 0) onChange(change.records, change.revision);
      });
    },
    async close() {
      subscription?.close();
      calls.close();
    },
  };
}

type BeatSetting = RedisStoreOptions & { timeoutMs: number; channel: string; keys: string[] };
type RawReply = Omit<BeatReply, 'records'> & { raw: string[] };

/**
 * Runs the beat's script. Keeps how far Redis' clock is from this process' own, so that a beat can say by Redis' clock
 * until when it counts.
 */
function beatCaller(calls: RedisCalls, setting: BeatSetting): (beat: Beat) => Promise<RawReply> {
  let clockOffsetMs: number | null = null;
  return async (beat) => {
    const lastMs = clockOffsetMs === null ? null : clockOffsetMs + performance.now() + setting.timeoutMs;
    const answer = await calls.run(BEAT, setting.keys, [
      setting.channel,
      beat.router,
      JSON.stringify({ fleetDigest: beat.fleetDigest, votes: boundedVotes(beat.votes) }),
      JSON.stringify(homesOf(beat)),
      String(beat.minDwellMs),
      String(BEAT_TTL_MS),
      String(beat.knownRevision),
      beat.knownIncarnation ?? '',
      randomUUID(),
      lastMs === null || setting.now !== undefined ? '' : lastMs.toFixed(0),
      setting.now === undefined ? '' : String(setting.now()),
    ]);
    const parsed = beatAnswer.safeParse(answer);
    if (!parsed.success) throw new StoreUnavailable('Redis answered a beat with something else');
    const [storeMs, ...taken] = parsed.data;
    clockOffsetMs = storeMs - performance.now();
    if (taken.length === 0) throw new StoreUnavailable('Redis read the beat too late');
    const [revision, incarnation, behind, machines, raw] = taken;
    return { revision, incarnation, behind: behind === 1, routers: routersOf(machines), raw };
  };
}

function homesOf({ homes }: Beat): [string, string][] {
  const sorted = [...homes].sort((a, b) => (a.home < b.home ? -1 : 1));
  return sorted.map(({ home, neighbour }) => [home, neighbour ?? '']);
}

function routersOf(flat: string[]): BeatReply['routers'] {
  const routers: BeatReply['routers'] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    routers.push({ id: flat[i] ?? '', fleetDigest: flat[i + 1] ?? '' });
  }
  return routers;
}
