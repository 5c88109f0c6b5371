// One beat through Redis: what is sent to its script, and what comes back.
import { randomUUID } from 'node:crypto';
import { script, VERDICT_PARTS, type RedisCalls } from './redis-calls.ts';
import type { Keys } from './redis-ledger.ts';
import { boundedAccusations } from '../verdicts/suspects.ts';
import { BEAT_TTL_MS, machineName, StoreUnavailable, type Beat, type BeatReply } from '../store.ts';
import { boundedRefusals, boundedVotes, compactVotes } from '../verdicts/votes.ts';
import { SILENCE_MS } from '../warm-up.ts';
import { beatAnswer } from './wire.ts';

const BEAT = script(
  ...VERDICT_PARTS,
  'end-handover',
  'way-home',
  'stand-in',
  'begin-handover',
  'budget',
  'quarantine',
  'suspects',
  'decide',
  'beat',
);

type Setting = {
  keys: Keys;
  timeoutMs: number;
  protocol: number;
  warmUpMs: number;
  now: (() => number) | undefined;
};

/** The records and the quarantine as they are stored; the caller reads them. */
type RawReply = Omit<BeatReply, 'records' | 'quarantine'> & { raw: string[]; rawQuarantine: string[] | null };

/**
 * What the last reply said of the store; nothing before the first one. `heardRevision`: the newest that was heard of by any
 * way: a Redis that failed over may have lost what it had published.
 */
type Known = { knownRevision?: number; knownIncarnation?: string; heardRevision: number };

/** No store ever comes to more changes; beyond it they could not be counted any more. */
const REVISION_MAX = 2 ** 52;

export type BeatCaller = {
  /** Rejects with `StoreUnavailable`, also when Redis read the beat after its time and did not take it. */
  beat(beat: Beat): Promise<RawReply>;
  known(): Known;
  /** The store was as new as this. */
  hear: (revision: number) => void;
};

/**
 * Runs the beat's script. Keeps how far Redis' clock is from this process' own, so that a beat can say by Redis' clock
 * until when it counts.
 */
export function beatCaller(calls: RedisCalls, setting: Setting): BeatCaller {
  let clockOffsetMs: number | null = null;
  let known: Known = { heardRevision: 0 };
  async function beat(one: Beat): Promise<RawReply> {
    const lateAt = clockOffsetMs === null ? null : clockOffsetMs + performance.now() + setting.timeoutMs;
    const refused = boundedRefusals(one.refused);
    const ledgers = refused.map(({ home, epoch }) => setting.keys.ledger(home, epoch));
    const answer = await calls.run(
      BEAT,
      [...setting.keys.shared, ...ledgers],
      [
        question(one, lateAt, known.heardRevision, setting),
        voice(one, setting.protocol),
        columns(one),
        ...refused.map(({ marks }) => JSON.stringify(marks)),
      ],
    );
    const parsed = beatAnswer.safeParse(answer);
    if (!parsed.success) throw new StoreUnavailable('Redis answered a beat with something else');
    const [storeMs, ...taken] = parsed.data;
    clockOffsetMs = storeMs - performance.now();
    if (taken.length === 0) throw new StoreUnavailable('Redis read the beat too late');
    const [revision, incarnation, behind, passive, routers, held, raw, rawQuarantine] = taken;
    hear(revision);
    if (!behind) known = { ...known, knownRevision: revision, knownIncarnation: incarnation };
    return { storeMs, revision, incarnation, behind, passive, routers, held, raw, rawQuarantine };
  }
  function hear(revision: number): void {
    if (revision > known.heardRevision && revision <= REVISION_MAX) known.heardRevision = revision;
  }
  return { beat, known: () => known, hear };
}

/** `ARGV[1]`. */
function question(
  beat: Beat,
  lateAt: number | null,
  heardRevision: number,
  { keys, protocol, warmUpMs, now }: Setting,
): string {
  const { fleetDigest, fleetInForce, knownRevision } = beat;
  const { minDwellMs, neighbourLostMs, handoverMs, maxFailedOver, requiresStandby } = beat;
  return JSON.stringify({
    channel: keys.channel,
    protocol,
    name: randomUUID(),
    machine: machineName(beat),
    ttlMs: BEAT_TTL_MS,
    silenceMs: SILENCE_MS,
    warmUpMs,
    knownRevision,
    heardRevision,
    ...(beat.knownIncarnation === null ? {} : { knownIncarnation: beat.knownIncarnation }),
    fleetDigest,
    fleetInForce,
    minDwellMs,
    neighbourLostMs,
    handoverMs,
    maxFailedOver,
    requiresStandby,
    ...accused(beat),
    ...(now === undefined ? {} : { now: now() }),
    ...(now === undefined && lateAt !== null ? { lateAt } : {}),
  });
}

/** In rows: mostly there are none. */
function accused({ accusations }: Beat): object {
  if (accusations === undefined) return {};
  const { deaths, failing } = boundedAccusations(accusations);
  const rows = deaths.map(({ cell, many, tenants }) => {
    return [cell, Number(many), tenants.map(({ home, tenant, again }) => [home, tenant, Number(again)])];
  });
  return {
    accusations: { deaths: rows, failing: failing.map(({ cell, home, tenant }) => [cell, home, tenant]) },
  };
}

/** `ARGV[2]`: what the store keeps of this machine, line by line. */
function voice(beat: Beat, protocol: number): string {
  const { fleetDigest, knownRevision, knownIncarnation } = beat;
  const { up, caughtUp, lagging, down, standbys } = compactVotes(boundedVotes(beat.votes));
  const confirmations = Object.fromEntries(
    Object.entries(beat.confirmations).map(([home, { epoch, held, ready }]) => [home, [epoch, held, ready]]),
  );
  const head = { fleetDigest, protocol, knownRevision, knownIncarnation, confirmations };
  return [head, up, caughtUp, lagging, down, standbys].map((line) => JSON.stringify(line)).join('\n');
}

/** `ARGV[3]`: by column, which the script reads in a third of the time. */
function columns({ homes }: Beat): string {
  const rules = [...homes].sort((a, b) => (a.home < b.home ? -1 : 1));
  return JSON.stringify({
    homes: rules.map(({ home }) => home),
    neighbours: rules.map(({ neighbour }) => neighbour ?? ''),
    buckets: rules.map(({ buckets }) => buckets),
    zones: rules.map(({ zone }) => zone ?? ''),
  });
}
