// The health of the fleet as this router sees and shares it: probes, votes, beats, and the view they keep up.
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import { Opinion, type OpinionState } from './opinion.ts';
import { Probe, type ProbeResult } from './probe.ts';
import { Prober } from './prober.ts';
import type { HealthRecord, Vote } from './record.ts';
import type { BeatReply, Store } from './store.ts';
import { HealthView } from './view.ts';

const BEAT_INTERVAL_MS = 1_000;
/** A router that starts while the store is silent becomes ready without it after this long. */
const STORE_SILENT_MS = 1_000;

type Watched = { origin: string; opinion: Opinion; prober: Prober; version: string | null; probed: boolean };

export class Monitor {
  readonly view: HealthView;
  readonly #config: Config;
  readonly #fleets: FleetHolder;
  readonly #store: Store;
  readonly #log: Logger;
  readonly #cells = new Map<string, Watched>();
  readonly #startedAtMs = performance.now();
  readonly #replyListeners: ((reply: BeatReply) => void)[] = [];
  #known: { revision: number; incarnation: string | null } = { revision: 0, incarnation: null };
  #answeredAtMs: number | null = null;
  #storeLost = false;
  #liveRouters = 1;
  #digests: string[] = [];
  #timer: NodeJS.Timeout | null = null;
  #beating = false;
  #beatAgain = false;
  #stopped = false;

  constructor(config: Config, fleets: FleetHolder, store: Store, log: Logger) {
    this.#config = config;
    this.#fleets = fleets;
    this.#store = store;
    this.#log = log;
    this.view = new HealthView(fleets.active.placement);
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
    await Promise.all([...this.#cells.values()].map(({ prober }) => prober.stop()));
    this.#cells.clear();
    await this.#store.leave(this.#config.ROUTER_ID).catch(() => undefined);
  }

  /** Called after each beat that the store answered. */
  onReply(listener: (reply: BeatReply) => void): void {
    this.#replyListeners.push(listener);
  }

  /** Ready: every cell was asked once, and the records are read or the store has been silent for a second. */
  get ready(): boolean {
    const probed = [...this.#cells.values()].every((cell) => cell.probed);
    const silent = performance.now() - this.#startedAtMs >= STORE_SILENT_MS;
    return probed && (this.#answeredAtMs !== null || silent);
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
  observeAnswer(cell: string, bad: boolean, nowMs: number): void {
    this.#observe(cell, (watched) => {
      watched.opinion.observeAnswer(bad, nowMs);
      if (bad) watched.prober.hurry();
    });
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
    return { origin, opinion: new Opinion(FALL, RISE), prober, version: null, probed: false };
  }

  #probed(id: string, result: ProbeResult): void {
    this.#observe(id, (watched) => {
      watched.probed = true;
      if (result.version !== null) watched.version = result.version;
      if (result.ok) watched.opinion.probeSucceeded();
      else watched.opinion.observeFailure(result.evidence, result.reason);
    });
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
    if (!reply.behind) return reply;
    this.#log.warn({ records: this.view.records.length }, 'the store lost records, bringing them back');
    await this.#store.restore(this.view.records, this.#known.revision);
    this.#known = { revision: reply.revision, incarnation: reply.incarnation };
    return await this.#store.beat(this.#message());
  }

  #message() {
    const votes: Record<string, Vote> = {};
    for (const [id, { opinion }] of this.#cells) {
      if (opinion.vote !== undefined) votes[id] = opinion.vote;
    }
    const { placement, cells } = this.#fleets.active;
    return {
      router: this.#config.ROUTER_ID,
      fleetDigest: this.#fleets.loadedDigest,
      votes,
      homes: placement.cells.map((home) => ({
        home,
        neighbour: placement.neighbourOf(home),
        buckets: placement.bucketsOf(home),
        zone: cells.get(home)?.zone ?? null,
      })),
      minDwellMs: this.#config.MIN_DWELL_MS,
      neighbourLostMs: 30_000,
      maxFailedOver: 0.34,
      refused: [],
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
    if (this.#storeLost) return;
    this.#storeLost = true;
    const reason = error instanceof Error ? error.message : 'unknown error';
    this.#log.error({ reason }, 'the store does not answer, the last known verdicts stand');
  }

  #learn(records: readonly HealthRecord[]): void {
    for (const { home, state, target, epoch, cause } of this.view.apply(records)) {
      this.#log.warn({ home, state, target, epoch, cause }, 'verdict');
    }
  }
}
