// The store of a router that stands alone: the same verdicts, in this process' memory.
import { randomUUID } from 'node:crypto';
import { beginChange } from '../verdicts/change.ts';
import { decide } from '../verdicts/decide.ts';
import { eventIdOrder } from '../event-id.ts';
import { InProcessLedger } from './in-process-ledger.ts';
import { InProcessLoads } from './in-process-loads.ts';
import { InProcessQuarantine } from './in-process-quarantine.ts';
import { incidentEpochs } from '../verdicts/incident.ts';
import { boundedWish, forcedFailover } from '../verdicts/operate.ts';
import type {
  QuarantineChange,
  QuarantineEntry,
  QuarantineWish,
  ReleaseWish,
} from '../verdicts/quarantine.ts';
import type { EventEntry, HealthEvent, HealthRecord, HeldWhy, Vote } from '../record.ts';
import { saysTheSame } from '../same-rule.ts';
import {
  BEAT_TTL_MS,
  machineName,
  type Beat,
  type BeatReply,
  type Change,
  type ChangeListener,
  type ChangeRefusal,
  type FailOver,
  type FailOverRefusal,
  type Store,
} from '../store.ts';
import { sortedRouters } from '../verdicts/tally.ts';
import { boundedRefusals, boundedVotes } from '../verdicts/votes.ts';
import { SILENCE_MS } from '../warm-up.ts';

const EVENTS_MAX = 1_000;

type Machine = Pick<
  Beat,
  'router' | 'fleetDigest' | 'votes' | 'knownRevision' | 'knownIncarnation' | 'confirmations'
> & { at: number };

export type InProcessStoreOptions = {
  /** Epoch milliseconds; the clock of this process where none is given. */
  now?: () => number;
  /** How long after a silence nothing is decided. None by default: the one machine there is has been heard. */
  warmUpMs?: number;
};

export function createInProcessStore(options: InProcessStoreOptions = {}): Store {
  const clock = options.now ?? Date.now;
  const state = new InProcessState(clock, options.warmUpMs ?? 0);
  const loads = new InProcessLoads(clock);
  return {
    kind: 'in-process',
    beat: async (one) => state.beat(one),
    change: async (change) => state.change(boundedWish(change)),
    failOver: async (wish) => state.failOver(boundedWish(wish)),
    quarantine: async (wish) => state.quarantine(boundedWish(wish)),
    unquarantine: async (wish) => state.unquarantine(boundedWish({ ...wish, expiresInMs: 0 })),
    restore: async (records, revision, quarantine = []) => state.restore(records, revision, quarantine),
    leave: async (machine) => {
      state.machines.delete(machine);
      loads.forget(machine);
    },
    tellLoad: async (machine, told) => loads.tell(machine, told),
    loads: async (machines) => loads.of(machines),
    events: async (limit, after) => state.eventsAfter(limit, after),
    subscribe: (onChange) => void state.listeners.push(onChange),
    close: async () => void state.listeners.splice(0),
  };
}

class InProcessState {
  readonly machines = new Map<string, Machine>();
  readonly listeners: ChangeListener[] = [];
  readonly #incarnation: string = randomUUID();
  readonly #clock: () => number;
  readonly #warmUpMs: number;
  readonly #records = new Map<string, HealthRecord>();
  readonly #events: EventWithId[] = [];
  readonly #ledger = new InProcessLedger();
  readonly #quarantine = new InProcessQuarantine(this.#records, (changes, events) => {
    this.#commit([], events, changes);
  });
  #held: ReadonlyMap<string, HeldWhy> = new Map();
  #lost: ReadonlyMap<string, number> = new Map();
  #revision = 0;
  #heardSince: number | null = null;

  constructor(clock: () => number, warmUpMs: number) {
    this.#clock = clock;
    this.#warmUpMs = warmUpMs;
  }

  beat(beat: Beat): BeatReply {
    const now = this.#clock();
    const silent = ![...this.machines.values()].some(({ at }) => Math.abs(now - at) < SILENCE_MS);
    if (silent) this.#heardSince = now;
    this.machines.set(machineName(beat), { ...beat, at: now, votes: boundedVotes(beat.votes) });
    this.#forgetTheSilent(now);
    const unknown = beat.knownIncarnation !== null && beat.knownIncarnation !== this.#incarnation;
    const behind = unknown || beat.knownRevision > this.#revision || this.#confirmsMore(beat);
    if (!behind) this.#decide(now, beat);
    for (const refusals of boundedRefusals(beat.refused)) this.#ledger.add(refusals);
    const current = beat.knownIncarnation === this.#incarnation && beat.knownRevision === this.#revision;
    return {
      storeMs: now,
      revision: this.#revision,
      incarnation: this.#incarnation,
      behind,
      passive: false,
      records: current ? [] : structuredClone([...this.#records.values()]),
      quarantine: current ? null : this.#quarantine.entries,
      routers: this.#routers(now, machineName(beat)),
      held: this.#heldOf(beat),
    };
  }

  /** Whether the machine confirms a handover that is not known here: it comes from a store that was lost. */
  #confirmsMore({ confirmations }: Beat): boolean {
    return Object.entries(confirmations).some(
      ([home, { epoch }]) => epoch > (this.#records.get(home)?.epoch ?? 0),
    );
  }

  failOver(wish: FailOver): { record: HealthRecord } | FailOverRefusal {
    const now = this.#clock();
    this.#forgetTheSilent(now);
    const outcome = forcedFailover(wish, { now, live: this.#live(now), records: this.#records });
    if ('refused' in outcome) return outcome;
    this.#commit([outcome.record], [outcome.event]);
    return structuredClone({ record: outcome.record });
  }

  change(change: Change): { record: HealthRecord } | ChangeRefusal {
    const now = this.#clock();
    this.#forgetTheSilent(now);
    const [live, warmingUp] = [this.#live(now), this.#isWarmingUp(now)];
    const situation = { now, live, records: this.#records, handsOver: true, warmingUp };
    const outcome = beginChange(change, situation);
    if ('refused' in outcome) return outcome;
    const { record, event } = outcome;
    if (event !== null) this.#commit([record], [event]);
    return structuredClone({ record });
  }

  quarantine(wish: QuarantineWish): { entry: QuarantineEntry } | { refused: 'too-many' } {
    return this.#quarantine.quarantine(wish, this.#clock());
  }

  unquarantine(wish: ReleaseWish): { entry: QuarantineEntry } | { refused: 'not-found' } {
    return this.#quarantine.release(wish, this.#clock());
  }

  restore(restored: readonly HealthRecord[], known: number, quarantine: readonly QuarantineEntry[]): void {
    const changed = restored.flatMap((record) => this.#newer(record));
    const refused = this.#quarantine.restore(quarantine, this.#clock());
    this.#revision = Math.max(this.#revision, known) + (changed.length > 0 ? 1 : 0) + refused.length;
    this.#changeRecords(structuredClone(changed), refused);
  }

  /** The higher epoch stands. Of one that was given twice, what is stored does, at the next one: so everybody follows it. */
  #newer(record: HealthRecord): HealthRecord[] {
    const stored = this.#records.get(record.home);
    if (stored === undefined || record.epoch > stored.epoch) return [record];
    const givenTwice = record.epoch === stored.epoch && !saysTheSame(record, stored);
    return givenTwice ? [{ ...stored, epoch: stored.epoch + 1 }] : [];
  }

  eventsAfter(limit: number, after: string | undefined): HealthEvent[] {
    const newer = this.#events.filter(({ id }) => after === undefined || eventIdOrder(id, after) > 0);
    return newer
      .reverse()
      .slice(0, limit)
      .map((event) => ({
        ...structuredClone(event),
        tenantSecondsRefused: this.#ledger.count(event.cell, incidentEpochs(event)),
      }));
  }

  #isWarmingUp(now: number): boolean {
    return Math.abs(now - (this.#heardSince ?? now)) < this.#warmUpMs;
  }

  #decide(now: number, beat: Beat): void {
    const { homes, minDwellMs, neighbourLostMs, maxFailedOver, handoverMs, requiresStandby } = beat;
    const machines = [...this.machines];
    const live = this.#live(now);
    const warmingUp = this.#isWarmingUp(now);
    // Before any verdict: nothing is to move for the sake of a tenant that is refused from now on.
    this.#quarantine.look({ now, live, warmingUp, accusations: beat.accusations });
    const decision = decide({
      now,
      live,
      confirmations: new Map(machines.map(([id, { confirmations }]) => [id, confirmations])),
      handoverMs,
      requiresStandby,
      handsOver: true,
      oneFleet: beat.fleetInForce && machines.every(([, one]) => one.fleetDigest === beat.fleetDigest),
      homes,
      records: this.#records,
      minDwellMs,
      neighbourLostMs,
      maxFailedOver,
      warmingUp,
      lost: this.#lost,
      held: this.#held,
    });
    this.#held = decision.held;
    this.#lost = decision.lost;
    this.#commit(decision.changed, decision.events);
  }

  #commit(changed: HealthRecord[], events: EventEntry[], quarantine: QuarantineChange[] = []): void {
    this.#revision += changed.length + quarantine.length;
    for (const event of events) this.#appendEvent(event);
    this.#changeRecords(changed, quarantine);
  }

  #changeRecords(changed: HealthRecord[], quarantine: QuarantineChange[]): void {
    if (changed.length + quarantine.length === 0) return;
    for (const record of changed) this.#records.set(record.home, record);
    for (const listener of this.listeners) {
      listener(structuredClone(changed), this.#revision, structuredClone(quarantine));
    }
  }

  #appendEvent(event: EventEntry): void {
    const [lastMs = 0, lastCount = 0] = this.#events.at(-1)?.id.split('-').map(Number) ?? [];
    const id = event.at > lastMs ? `${event.at}-0` : `${lastMs}-${lastCount + 1}`;
    this.#events.push({ id, ...event });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
  }

  #forgetTheSilent(now: number): void {
    for (const [id, { at }] of this.machines) {
      if (Math.abs(now - at) >= BEAT_TTL_MS) this.machines.delete(id);
    }
  }

  /** The votes of the routers: of each the process that beat last has it. */
  #live(now: number): Map<string, Readonly<Record<string, Vote>>> {
    const voters = new Map<string, Machine>();
    for (const name of sortedRouters(this.machines)) {
      const machine = this.machines.get(name);
      if (machine === undefined) continue;
      const other = voters.get(machine.router);
      const isLater = other === undefined || Math.abs(now - machine.at) <= Math.abs(now - other.at);
      if (isLater) voters.set(machine.router, machine);
    }
    return new Map([...voters].map(([id, { votes }]) => [id, votes]));
  }

  #heldOf({ homes }: Beat): BeatReply['held'] {
    const held = homes.flatMap(({ home }) => {
      const why = this.#held.get(home);
      return why === undefined ? [] : { home, why };
    });
    return held.sort((a, b) => (a.home < b.home ? -1 : 1));
  }

  #routers(now: number, asking: string): BeatReply['routers'] {
    return sortedRouters(this.machines).flatMap((name) => {
      const machine = this.machines.get(name);
      if (machine === undefined) return [];
      const { router: id, fleetDigest, knownRevision, knownIncarnation, at } = machine;
      const knows = knownIncarnation === this.#incarnation && knownRevision >= this.#revision;
      return { id, name, fleetDigest, ageMs: Math.abs(now - at), current: name === asking || knows };
    });
  }
}

type EventWithId = EventEntry & { id: string };
