// The beat: tells the store this router's votes each second, and at once when one changes, and hears what is decided.
import type { Logger } from 'pino';
import type { QuarantineEntry } from './verdicts/quarantine.ts';
import type { QuarantineList } from './quarantine-list.ts';
import type { Held, HealthRecord } from './record.ts';
import { RefusalMarks } from './refusal-marks.ts';
import { saysTheSame } from './same-rule.ts';
import { SharedIds } from './shared-ids.ts';
import { BEAT_TTL_MS, type Beat, type BeatReply, type LiveRouter, type Store } from './store.ts';

const BEAT_INTERVAL_MS = 1_000;
/** However many ask for one, beats come no closer than this: a cell that is wrong about its rules must not set their pace. */
const SOONEST_MS = 10;
/** A machine that fell silent is asked about this long after it no longer counts. */
const AFTER_EXPIRY_MS = 5;

/** What the beat tells; the rest of it is this file's own. */
export type Message = Omit<Beat, 'refused' | 'knownRevision' | 'knownIncarnation'>;

export type BeatEvents = {
  message(): Message;
  /** Everything this router knows, for a store that knows less. */
  records(): readonly HealthRecord[];
  /** The store told records. */
  heard(records: readonly HealthRecord[]): void;
  /** What this router knows of the quarantine, for a store that knows less, and of one that does. */
  quarantine: Pick<QuarantineList, 'entries' | 'merge'>;
  /** The store took what this beat told. */
  taken(beat: Beat): void;
  replied(reply: BeatReply): void;
  unanswered(): void;
};

export class Beats {
  readonly refusals = new RefusalMarks();
  readonly #store: Store;
  readonly #log: Logger;
  readonly #events: BeatEvents;
  #known: { revision: number; incarnation: string | null } = { revision: 0, incarnation: null };
  readonly #shared = new SharedIds();
  #routers: readonly LiveRouter[] = [];
  #held: readonly Held[] = [];
  #answeredAtMs: number | null = null;
  #lost = false;
  #passive = false;
  #toRestore = false;
  #timer: NodeJS.Timeout | null = null;
  #beating = false;
  #beatAgain = false;
  #beganAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(store: Store, log: Logger, events: BeatEvents) {
    this.#store = store;
    this.#log = log;
    this.#events = events;
  }

  /** How long ago the store last answered, in milliseconds; null: never. */
  get ageMs(): number | null {
    return this.#answeredAtMs === null ? null : performance.now() - this.#answeredAtMs;
  }

  /** Whether the store answered the last beat. */
  get answered(): boolean {
    return !this.#lost && this.#answeredAtMs !== null;
  }

  /** Whether the store was asked and did not answer. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Live routers as last known, this one included; empty before the first reply. */
  get routers(): readonly LiveRouter[] {
    return this.#routers;
  }

  /** IDs that more than one live router has had for long. */
  get sharedIds(): readonly string[] {
    return this.#shared.known;
  }

  /** Whether the store is led by a newer release, which this one leaves decisions to. */
  get passive(): boolean {
    return this.#passive;
  }

  /** Homes that should fail over and are held back, and why. */
  get held(): readonly Held[] {
    return this.#held;
  }

  /** Beats now; while one is under way, right after it. */
  soon(): void {
    if (this.#stopped) return;
    if (this.#beating) this.#beatAgain = true;
    else this.#schedule(this.#soonestMs());
  }

  /** This router knows records that the store may not know: brings them along with the next beat. */
  restoreSoon(): void {
    this.#toRestore = true;
    this.soon();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(waitMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), waitMs);
  }

  async #beat(): Promise<void> {
    this.#beating = true;
    this.#beganAtMs = performance.now();
    try {
      this.#take(await this.#exchange());
    } catch (error) {
      this.#lose(error);
    }
    this.#beating = false;
    if (this.#stopped) return;
    // From beat to beat, not from reply to beat: a slow store must not make this router look as if it beat too seldom.
    const spentMs = performance.now() - this.#beganAtMs;
    this.#schedule(this.#beatAgain ? this.#soonestMs() : Math.max(0, this.#nextMs() - spentMs));
    this.#beatAgain = false;
  }

  #soonestMs(): number {
    return Math.max(0, this.#beganAtMs + SOONEST_MS - performance.now());
  }

  /** A machine that fell silent may be all that stands in the way of a majority: asks right when it no longer counts. */
  #nextMs(): number {
    const expiries = this.#routers.map(({ ageMs }) => BEAT_TTL_MS - ageMs + AFTER_EXPIRY_MS);
    return Math.min(BEAT_INTERVAL_MS, ...expiries.filter((ms) => ms > 0));
  }

  /** One beat; to a store that lost its memory the records are brought back first. */
  async #exchange(): Promise<BeatReply> {
    // One that did not answer may come back without its last writes: it is to have them before it decides anything.
    const known = this.#lost ? this.#events.records() : [];
    if (known.length > 0) await this.#bring(known, []);
    const reply = await this.#tell();
    if (!reply.behind && !this.#toRestore) return reply;
    // What it knows more of counts, too: where nothing has to be brought, the second reply does not repeat it.
    this.#events.heard(reply.records);
    const { quarantine } = this.#events;
    if (reply.behind) quarantine.merge(reply.quarantine ?? []);
    const records = this.#events.records();
    if (reply.behind)
      this.#log.warn({ records: records.length }, 'the store lacks records, bringing them back');
    else this.#log.info({ records: records.length }, 'bringing the store what was known without it');
    // The list of a store that lost nothing stands as it is: who was let in again must not come back.
    await this.#bring(records, reply.behind ? quarantine.entries : []);
    this.#known = { revision: reply.revision, incarnation: reply.incarnation };
    // A stop takes the beat away: another one would have the store wait for a machine that is gone.
    return this.#stopped ? reply : await this.#tell();
  }

  async #tell(): Promise<BeatReply> {
    const message = this.#message();
    const reply = await this.#store.beat(message);
    this.refusals.told(message.refused);
    if (!reply.behind) this.#events.taken(message);
    return reply;
  }

  async #bring(records: readonly HealthRecord[], quarantine: readonly QuarantineEntry[]): Promise<void> {
    // Before it waits: what is learnt meanwhile is not among these, and asks for another time.
    this.#toRestore = false;
    try {
      await this.#store.restore(records, this.#known.revision, quarantine);
    } catch (error) {
      this.#toRestore = true;
      throw error;
    }
  }

  #message(): Beat {
    const { revision, incarnation } = this.#known;
    return {
      ...this.#events.message(),
      refused: this.refusals.pending,
      knownRevision: revision,
      knownIncarnation: incarnation,
    };
  }

  #take(reply: BeatReply): void {
    if (this.#lost) this.#log.info('the store answers again');
    this.#lost = false;
    this.#answeredAtMs = performance.now();
    this.#known = { revision: reply.revision, incarnation: reply.incarnation };
    this.#routers = reply.routers;
    for (const id of this.#shared.look(reply.routers, performance.now())) {
      this.#log.warn({ id }, 'two routers beat under one ROUTER_ID: they have one vote together');
    }
    this.#reportHeld(reply.held);
    this.#reportPassive(reply.passive);
    this.#events.heard(reply.records);
    this.#events.replied(reply);
    if (this.#lacksSome(reply.records)) this.restoreSoon();
  }

  /** Told of everything: whether the store lost writes that are known here, and went on without them. */
  #lacksSome(told: readonly HealthRecord[]): boolean {
    if (told.length === 0) return false;
    const byHome = new Map(told.map((record) => [record.home, record]));
    return this.#events.records().some((known) => {
      const stored = byHome.get(known.home);
      if (stored === undefined || known.epoch > stored.epoch) return true;
      return known.epoch === stored.epoch && !saysTheSame(known, stored);
    });
  }

  #reportPassive(passive: boolean): void {
    if (passive && !this.#passive) {
      this.#log.error('the store is led by a newer release: this router votes, and leaves decisions to it');
    }
    this.#passive = passive;
  }

  #lose(error: unknown): void {
    if (!this.#lost) {
      const reason = error instanceof Error ? error.message : 'unknown error';
      this.#log.error({ reason }, 'the store does not answer, the last known verdicts stand');
    }
    this.#lost = true;
    this.#events.unanswered();
  }

  #reportHeld(held: readonly Held[]): void {
    const before = new Set(this.#held.map(({ home, why }) => `${home} ${why}`));
    for (const { home, why } of held) {
      if (!before.has(`${home} ${why}`)) this.#log.error({ home, why }, 'failover held back');
    }
    this.#held = held;
  }
}
