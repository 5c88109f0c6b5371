// The health of the fleet as this router sees and shares it: probes, votes, beats, and the view they keep up.
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import { Opinion, type OpinionState } from './opinion.ts';
import { Fence } from './fence.ts';
import { Probe, type ProbeResult, type Told } from './probe.ts';
import { Prober } from './prober.ts';
import type { HealthRecord, Vote } from './record.ts';
import type { BeatReply, Store } from './store.ts';
import { Snapshot } from './snapshot.ts';
import { TrafficWindow } from './traffic-window.ts';
import { HealthView } from './view.ts';
import { readRule } from './wire.ts';

const BEAT_INTERVAL_MS = 1_000;
/** A router that starts while the store is silent becomes ready without it after this long. */
const STORE_SILENT_MS = 1_000;

/** What an answer to a client says of its cell. `bad`: a gateway's error, a reset, a time-out. */
export type AnswerOutcome = 'good' | 'bad' | 'overloaded';

type Watched = {
  origin: string;
  opinion: Opinion;
  prober: Prober;
  version: string | null;
  versionSinceMs: number | null;
  caughtUp: boolean | null;
  degraded: boolean;
  readonly overload: TrafficWindow;
  probed: boolean;
};

export class Monitor {
  readonly view: HealthView;
  readonly #config: Config;
  readonly #fleets: FleetHolder;
  readonly #store: Store;
  readonly #log: Logger;
  readonly #cells = new Map<string, Watched>();
  readonly #startedAtMs = performance.now();
  readonly #replyListeners: ((reply: BeatReply) => void)[] = [];
  readonly #recordListeners: ((records: readonly HealthRecord[]) => void)[] = [];
  readonly #probeListeners: ((cell: string, well: boolean) => void)[] = [];
  readonly #fence: Fence;
  readonly #snapshot: Snapshot | null;
  #known: { revision: number; incarnation: string | null } = { revision: 0, incarnation: null };
  #answeredAtMs: number | null = null;
  #storeLost = false;
  #liveRouters = 1;
  #digests: string[] = [];
  #timer: NodeJS.Timeout | null = null;
  #beating = false;
  #beatAgain = false;
  #stopped = false;
  #ready = false;
  #toRestore = false;
  /** Homes whose record is the best that was found without the store: a newer one found the same way replaces it. */
  readonly #provisional = new Set<string>();
  /** The newest rule of each home that cells have shown since it was last looked at. */
  readonly #shown = new Map<string, HealthRecord>();

  constructor(config: Config, fleets: FleetHolder, store: Store, log: Logger) {
    this.#config = config;
    this.#fleets = fleets;
    this.#store = store;
    this.#log = log;
    this.view = new HealthView(fleets.active.placement);
    this.#fence = new Fence(config.CELL_TOKEN ?? null, log);
    this.#snapshot = config.SNAPSHOT_FILE === undefined ? null : new Snapshot(config.SNAPSHOT_FILE, log);
    this.#startWith(this.#snapshot?.read() ?? []);
    fleets.onActivate((fleet) => this.#watchCells(fleet));
    store.subscribe(
      (records) => this.#learn(records),
      () => this.#beatSoon(),
    );
  }

  start(): void {
    this.#watchCells(this.#fleets.active);
    void this.#beat();
  }

  /** Stops probing and takes this router's beat away, so that no vote of a stopped router is counted. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // The cells stay known: requests that still come while the router closes go where they went before.
    await Promise.all([...this.#cells.values()].map(({ prober }) => prober.stop()));
    await this.#store.leave(this.#config.ROUTER_ID).catch(() => undefined);
    await Promise.all([this.#fence.close(), this.#snapshot?.settled()]);
  }

  /** Called with the records that changed, as soon as this router knows of them. */
  onRecords(listener: (records: readonly HealthRecord[]) => void): void {
    this.#recordListeners.push(listener);
  }

  /** Called after each probe; `well`: the cell answered as it should. */
  onProbe(listener: (cell: string, well: boolean) => void): void {
    this.#probeListeners.push(listener);
  }

  /** Somebody knows more than this router: asks the store now instead of at the next beat. */
  askStore(): void {
    this.#beatSoon();
  }

  /** Brings the rule in force for `home` to `cell`. */
  async deliverRule(home: string, cell: string): Promise<void> {
    await this.#fence.deliver(this.recordOf(home), cell);
  }

  /** Called after each beat that the store answered. */
  onReply(listener: (reply: BeatReply) => void): void {
    this.#replyListeners.push(listener);
  }

  /**
   * Ready: every cell was asked once, and the records are read or the store has been silent for a second. Once ready
   * it stays so: a cell that joins later must not hold up the tenants of the others.
   */
  get ready(): boolean {
    if (this.#ready) return true;
    const silent = performance.now() - this.#startedAtMs >= STORE_SILENT_MS;
    this.#ready = this.#allProbed && (this.#answeredAtMs !== null || silent);
    return this.#ready;
  }

  get #allProbed(): boolean {
    return [...this.#cells.values()].every((cell) => cell.probed);
  }

  /** How old the shared knowledge is, in milliseconds; null while the store has never answered. */
  get knowledgeAgeMs(): number | null {
    return this.#answeredAtMs === null ? null : performance.now() - this.#answeredAtMs;
  }

  get storeAnswers(): boolean {
    return !this.#storeLost && this.#answeredAtMs !== null;
  }

  /** Live routers as last known, this one included. */
  get liveRouters(): number {
    return this.#liveRouters;
  }

  /** Different fleet files that live routers have loaded, as last known: more than one is an alarm. */
  get fleetDigests(): number {
    return new Set(this.#digests).size;
  }

  opinionOf(cell: string): OpinionState {
    return this.#cells.get(cell)?.opinion.state ?? 'unknown';
  }

  versionOf(cell: string): string | null {
    return this.#cells.get(cell)?.version ?? null;
  }

  isUnreachable(cell: string): boolean {
    return this.#cells.get(cell)?.opinion.unreachable ?? false;
  }

  recordOf(home: string): HealthRecord {
    return this.view.recordOf(home);
  }

  hasCell(cell: string): boolean {
    return this.#cells.has(cell);
  }

  /** From traffic: a connection to the cell could not be made. */
  observeNoConnection(cell: string, reason: string): void {
    this.#observe(cell, (watched) => {
      watched.opinion.observeFailure('unreachable', reason);
      watched.prober.hurry();
    });
  }

  /** From traffic: an answer came, or a reset or a time-out instead of one (`bad`). */
  observeAnswer(cell: string, outcome: AnswerOutcome, tenant: string | null): void {
    const nowMs = performance.now();
    this.#observe(cell, (watched) => {
      watched.overload.count(outcome === 'overloaded', tenant, nowMs);
      watched.opinion.observeAnswer(outcome === 'bad', tenant, nowMs);
      if (outcome === 'bad') watched.prober.hurry();
    });
  }

  /** Whether the cell has more than it can carry: by its own word, or by what it answers to clients. */
  isPressed(cell: string): boolean {
    const watched = this.#cells.get(cell);
    return watched !== undefined && (watched.degraded || watched.overload.exceededAt(performance.now()));
  }

  ownStandIn(home: string): string | null {
    const { REDIS_DOWN_POLICY, REDIS_DOWN_LOCAL_MS } = this.#config;
    if (REDIS_DOWN_POLICY !== 'local' || !this.#storeLost) return null;
    if ((this.knowledgeAgeMs ?? Number.POSITIVE_INFINITY) < REDIS_DOWN_LOCAL_MS) return null;
    const { neighbour } = this.recordOf(home);
    if (neighbour === null || this.opinionOf(neighbour) !== 'up') return null;
    // A fenced cell refuses tenants that no rule gave it: asking it would be in vain.
    return this.#fence.isFenced(neighbour) ? null : neighbour;
  }

  #observe(cell: string, act: (watched: Watched) => void): void {
    const watched = this.#cells.get(cell);
    if (watched === undefined || this.#stopped) return;
    const before = watched.opinion.state;
    act(watched);
    if (watched.opinion.state !== before) this.#opinionChanged(cell, watched.opinion);
  }

  #opinionChanged(cell: string, opinion: Opinion): void {
    const { vote, state } = opinion;
    const reason = vote?.opinion === 'down' ? vote.reason : undefined;
    this.#log[state === 'down' ? 'warn' : 'info'](
      { cell, opinion: state, reason },
      'opinion of a cell changed',
    );
    this.#beatSoon();
  }

  #watchCells(fleet: Fleet): void {
    this.view.setPlacement(fleet.placement);
    const wanted = new Set(fleet.placement.cells);
    for (const [id, watched] of this.#cells) {
      if (wanted.has(id) && fleet.cells.get(id)?.origin === watched.origin) continue;
      this.#cells.delete(id);
      void watched.prober.stop();
    }
    for (const id of wanted) {
      const cell = fleet.cells.get(id);
      if (cell !== undefined && !this.#cells.has(id)) this.#cells.set(id, this.#watch(id, cell.origin));
    }
    this.#beatSoon();
  }

  #watch(id: string, origin: string): Watched {
    const { PROBE_INTERVAL_MS, PROBE_TIMEOUT_MS, FALL, RISE } = this.#config;
    const probe = new Probe(id, origin, PROBE_TIMEOUT_MS);
    const prober = new Prober(probe, PROBE_INTERVAL_MS, (result) => this.#probed(id, result));
    return {
      origin,
      opinion: new Opinion(FALL, RISE),
      prober,
      version: null,
      versionSinceMs: null,
      caughtUp: null,
      degraded: false,
      overload: new TrafficWindow(),
      probed: false,
    };
  }

  #probed(id: string, result: ProbeResult): void {
    this.#observe(id, (watched) => {
      watched.probed = true;
      if (result.version !== null) this.#versioned(watched, result.version);
      if (result.told !== null) this.#told(id, watched, result.told);
      if (result.ok) watched.opinion.probeSucceeded();
      else watched.opinion.observeFailure(result.evidence, result.reason);
    });
    this.#adoptShown();
    for (const listener of this.#probeListeners) listener(id, result.ok);
  }

  #versioned(watched: Watched, version: string): void {
    if (watched.version !== null && watched.version !== version) watched.versionSinceMs = performance.now();
    watched.version = version;
  }

  /** What an earlier router on this machine knew last. A store that knows less is told. */
  #startWith(records: readonly HealthRecord[]): void {
    for (const { home } of this.view.apply(records)) this.#provisional.add(home);
    this.#toRestore = records.length > 0;
  }

  /** What a cell says of itself and of the rules it knows. */
  #told(id: string, watched: Watched, { epochs, rules, caughtUp, degraded }: Told): void {
    watched.caughtUp = caughtUp;
    watched.degraded = degraded;
    this.#hear(id, rules);
    this.#fence.learn(id, watched.origin, epochs);
    this.#fence.bring(this.view.rulesFor(id));
  }

  /** Keeps of the rules that a cell of the pair shows the newest one of each home. */
  #hear(cell: string, rules: Readonly<Record<string, unknown>>): void {
    for (const shown of Object.values(rules)) {
      const rule = readRule(shown);
      if (rule === null || (cell !== rule.home && cell !== rule.neighbour)) continue;
      if (rule.epoch > (this.#shown.get(rule.home)?.epoch ?? 0)) this.#shown.set(rule.home, rule);
    }
  }

  /**
   * Of a home that the store never told of, the newest rule that a cell of its pair shows is the best knowledge there
   * is: after a cold start without a store, or with one that was emptied while no router ran. Both cells of the pair
   * are heard first: what is adopted is acted on at once.
   */
  #adoptShown(): void {
    if (this.#shown.size === 0 || !this.#allProbed) return;
    const adopted = [...this.#shown.values()].filter((rule) => this.#isNews(rule));
    this.#shown.clear();
    if (adopted.length === 0) return;
    this.#learn(adopted);
    for (const { home } of adopted) this.#provisional.add(home);
    this.#toRestore = true;
    this.#beatSoon();
  }

  #isNews({ home, epoch }: HealthRecord): boolean {
    if (!this.hasCell(home) || epoch <= this.recordOf(home).epoch) return false;
    return this.#provisional.has(home) || !this.view.knows(home);
  }

  #beatSoon(): void {
    if (this.#stopped) return;
    if (this.#beating) this.#beatAgain = true;
    else this.#schedule(0);
  }

  #schedule(waitMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), waitMs);
  }

  async #beat(): Promise<void> {
    this.#beating = true;
    try {
      this.#answered(await this.#exchange());
    } catch (error) {
      this.#unanswered(error);
    }
    this.#beating = false;
    if (this.#stopped) return;
    this.#schedule(this.#beatAgain ? 0 : BEAT_INTERVAL_MS);
    this.#beatAgain = false;
  }

  /** One beat; to a store that lost its memory the records are brought back first. */
  async #exchange(): Promise<BeatReply> {
    const reply = await this.#store.beat(this.#message());
    if (!reply.behind && !this.#toRestore) return reply;
    // What it knows more of counts, too: where nothing has to be brought, the second reply does not repeat it.
    this.#learn(reply.records);
    const found = { records: this.view.records.length };
    if (reply.behind) this.#log.warn(found, 'the store lacks records, bringing them back');
    else this.#log.info(found, 'bringing the store what was known without it');
    await this.#store.restore(this.view.records, this.#known.revision);
    this.#toRestore = false;
    this.#known = { revision: reply.revision, incarnation: reply.incarnation };
    return await this.#store.beat(this.#message());
  }

  #message() {
    const votes: Record<string, Vote> = {};
    for (const [id, { opinion }] of this.#cells) {
      if (opinion.vote !== undefined) votes[id] = opinion.vote;
    }
    const { placement } = this.#fleets.active;
    return {
      router: this.#config.ROUTER_ID,
      fleetDigest: this.#fleets.loadedDigest,
      votes,
      homes: placement.cells.map((home) => ({ home, neighbour: placement.neighbourOf(home) })),
      minDwellMs: this.#config.MIN_DWELL_MS,
      knownRevision: this.#known.revision,
      knownIncarnation: this.#known.incarnation,
    };
  }

  #answered(reply: BeatReply): void {
    if (this.#storeLost) this.#log.info('the store answers again');
    this.#storeLost = false;
    this.#learn(reply.records);
    this.#known = { revision: reply.revision, incarnation: reply.incarnation };
    this.#answeredAtMs = performance.now();
    this.#liveRouters = Math.max(1, reply.routers.length);
    this.#digests = reply.routers.map(({ fleetDigest }) => fleetDigest);
    this.#fleets.consider(this.#digests);
    for (const listener of this.#replyListeners) listener(reply);
  }

  #unanswered(error: unknown): void {
    // Nobody can say what the other routers have: a changed file waits for its time, not for the store.
    this.#fleets.consider([]);
    if (this.#storeLost) return;
    this.#storeLost = true;
    const reason = error instanceof Error ? error.message : 'unknown error';
    this.#log.error({ reason }, 'the store does not answer, the last known verdicts stand');
  }

  #learn(records: readonly HealthRecord[]): void {
    const newer = this.view.apply(records);
    if (newer.length === 0) return;
    for (const { home, state, target, epoch, cause } of newer) {
      this.#provisional.delete(home);
      this.#log.warn({ home, state, target, epoch, cause }, 'verdict');
    }
    this.#fence.bring(newer);
    this.#snapshot?.write(this.view.records);
    for (const listener of this.#recordListeners) listener(newer);
  }
}
