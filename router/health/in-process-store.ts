// The store of a router that stands alone: the same verdicts, in this process' memory.
import { randomUUID } from 'node:crypto';
import { decide } from './decide.ts';
import { eventIdOrder } from './event-id.ts';
import type { HealthEvent, HealthRecord } from './record.ts';
import { BEAT_TTL_MS, type Beat, type BeatReply, type Store } from './store.ts';
import { sortedRouters } from './tally.ts';
import { boundedVotes } from './votes.ts';

const EVENTS_MAX = 1_000;

type Machine = { at: number; fleetDigest: string; votes: Beat['votes'] };

/** `now`: epoch milliseconds, the clock of this process where none is given. */
export function createInProcessStore(options: { now?: () => number } = {}): Store {
  const clock = options.now ?? Date.now;
  const incarnation: string = randomUUID();
  const machines = new Map<string, Machine>();
  const records = new Map<string, HealthRecord>();
  const events: HealthEvent[] = [];
  const listeners: ((records: HealthRecord[], revision: number) => void)[] = [];
  let revision = 0;

  function changeRecords(changed: HealthRecord[]): void {
    for (const record of changed) records.set(record.home, record);
    for (const listener of listeners) listener(structuredClone(changed), revision);
  }

  function appendEvent(event: Omit<HealthEvent, 'id'>): void {
    const [lastMs = 0, lastCount = 0] = events.at(-1)?.id.split('-').map(Number) ?? [];
    const id = event.at > lastMs ? `${event.at}-0` : `${lastMs}-${lastCount + 1}`;
    events.push({ id, ...event });
    if (events.length > EVENTS_MAX) events.shift();
  }

  function decideNow(now: number, { homes, minDwellMs }: Beat): void {
    const live = new Map([...machines].map(([id, { votes }]) => [id, votes]));
    const decision = decide({ now, live, homes, records, minDwellMs });
    if (decision.changed.length === 0) return;
    revision += decision.changed.length;
    decision.events.forEach(appendEvent);
    changeRecords(decision.changed);
  }

  function beat(beat: Beat): BeatReply {
    const now = clock();
    machines.set(beat.router, { at: now, fleetDigest: beat.fleetDigest, votes: boundedVotes(beat.votes) });
    for (const [id, { at }] of machines) if (Math.abs(now - at) >= BEAT_TTL_MS) machines.delete(id);
    const unknown = beat.knownIncarnation !== null && beat.knownIncarnation !== incarnation;
    const behind = unknown || beat.knownRevision > revision;
    if (!behind) decideNow(now, beat);
    const current = beat.knownIncarnation === incarnation && beat.knownRevision === revision;
    return {
      revision,
      incarnation,
      behind,
      records: current ? [] : structuredClone([...records.values()]),
      routers: sortedRouters(machines).map((id) => ({
        id,
        fleetDigest: machines.get(id)?.fleetDigest ?? '',
      })),
    };
  }

  function restore(restored: readonly HealthRecord[], known: number): void {
    const changed = restored.filter(({ home, epoch }) => epoch > (records.get(home)?.epoch ?? 0));
    revision = Math.max(revision, known) + (changed.length > 0 ? 1 : 0);
    if (changed.length > 0) changeRecords(structuredClone(changed));
  }

  return {
    kind: 'in-process',
    beat: async (one) => beat(one),
    restore: async (restored, known) => restore(restored, known),
    leave: async (router) => void machines.delete(router),
    events: async (limit, after) => {
      const newer = after === undefined ? events : events.filter(({ id }) => eventIdOrder(id, after) > 0);
      return structuredClone([...newer].reverse().slice(0, limit));
    },
    subscribe: (onChange) => void listeners.push(onChange),
    close: async () => void listeners.splice(0),
  };
}
