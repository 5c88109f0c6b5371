// Asks the store for a handover and waits for its end, for as long as an operator may be expected to wait.
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { opened } from '../health/verdicts/handover.ts';
import type { Monitor } from '../health/monitor.ts';
import type { HealthEvent, HealthRecord } from '../health/record.ts';
import { StoreUnavailable, type Change, type ChangeRefusal, type Store } from '../health/store.ts';

/** What is no answer yet. */
const PASSING = ['handover-undone', 'handover-under-way', 'warming-up'];

/** How often it is asked for, and in which time: with the pauses between, a router that died has left the quorum by then. */
const TRIES = 3;
const LIMIT_MS = 15_000;
const PAUSE_MS = 1_000;
/** A handover ends with a beat, of which there is one a second, and its end has to be told. */
const TELLING_MS = 2_500;
const LOOK_MS = 20;
/** The event of an end is among the newest: so many others can not have come meanwhile. */
const EVENTS_LOOKED_AT = 200;

export type HandOverParts = { monitor: Pick<Monitor, 'learn' | 'recordOf'>; store: Store };

/** `waitingFor`: which routers, or cells, the last try waited for in vain. */
export type Undone = { refused: 'handover-undone'; waitingFor: string[] };

export type HandOverAnswer = { record: HealthRecord } | ChangeRefusal | Undone;

/**
 * The record, once the change is in force. A handover that was undone, one that stands in the way, and a store that has
 * not heard all routers yet, is no answer: it is tried three times in all, within about 15 s. Rejects with
 * `StoreUnavailable` when the store does not answer, or does not tell of the end in time (it may have happened then), and
 * with the reason of `signal` when nobody waits any more; a handover that is under way goes on all the same.
 */
export async function handOver(
  parts: HandOverParts,
  change: Change,
  signal?: AbortSignal,
): Promise<HandOverAnswer> {
  const lastStartMs = performance.now() + LIMIT_MS - change.handoverMs - TELLING_MS;
  for (let tries = 1; ; tries += 1) {
    const answer = await tryOnce(parts, change, signal);
    const passing = 'refused' in answer && PASSING.includes(answer.refused);
    const pauseMs = PAUSE_MS * tries * (0.9 + Math.random() * 0.2);
    if (!passing || tries === TRIES || performance.now() + pauseMs > lastStartMs) return answer;
    await pause(pauseMs, undefined, { signal });
  }
}

async function tryOnce(
  parts: HandOverParts,
  change: Change,
  signal: AbortSignal | undefined,
): Promise<HandOverAnswer> {
  const begun = await parts.store.change(change);
  if (!('record' in begun)) return begun;
  // The sooner this router goes by it, the sooner it confirms; the others hear of it as of any change.
  parts.monitor.learn(begun.record);
  if (begun.record.phase === 'open') return begun;
  const record = await recordAfter(parts.monitor, begun.record, change.handoverMs + TELLING_MS, signal);
  const next = begun.record.epoch + 1;
  if (record.epoch === next && carriesOut(record, begun.record)) return { record };
  // Undone, overtaken by a verdict, or both ended and changed again since: only its event can tell.
  const events = await parts.store.events(EVENTS_LOOKED_AT);
  const end = events.find(({ cell, epoch }) => cell === change.home && epoch === next);
  if (end?.details?.['phase'] === 'open') return { record };
  return { refused: 'handover-undone', waitingFor: waitingForOf(end) };
}

/** The first one that is seen here after `closing`. */
async function recordAfter(
  monitor: HandOverParts['monitor'],
  closing: HealthRecord,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<HealthRecord> {
  const endsAt = performance.now() + limitMs;
  while (performance.now() < endsAt) {
    const record = monitor.recordOf(closing.home);
    // What a cell showed of it before the store told says neither since when nor why.
    if (record.epoch > closing.epoch && record.since !== null) return record;
    await pause(LOOK_MS, undefined, { signal });
  }
  throw new StoreUnavailable('nobody told of the end of the handover', 'untold');
}

/** Whether it opens what was closing: an undo puts one of these back, and a verdict has a cause of its own. */
function carriesOut(record: HealthRecord, closing: HealthRecord): boolean {
  const wanted = ({ state, share, cause, pins, moved }: HealthRecord) => ({
    state,
    share,
    cause,
    pins,
    moved,
  });
  return record.phase === 'open' && isDeepStrictEqual(wanted(record), wanted(opened(closing, 0)));
}

function waitingForOf(end: HealthEvent | undefined): string[] {
  const told = end?.details?.['waitingFor'];
  return Array.isArray(told) ? told.filter((one) => typeof one === 'string') : [];
}
