// The health of the fleet as this router sees and shares it: cells watched, votes told, rules in force.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { canFollow } from '../cut-over.ts';
import { BucketCounts, type CellBuckets } from '../count-buckets.ts';
import { homeOf, movesTo } from '../find-home.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import type { Network } from '../origin-pool.ts';
import { Beats, type Message } from './beats.ts';
import { steadyNow } from './cells/cell-clock.ts';
import { Confirmations } from './confirmations.ts';
import { DeathWatch, type Inside } from './cells/death-watch.ts';
import type { OpinionState } from './cells/opinion.ts';
import type { ProbeResult } from './cells/probe.ts';
import { Standbys, type Standby } from './cells/standbys.ts';
import { QuarantineList } from './quarantine-list.ts';
import type { Held, HeldWhy, HealthRecord, Vote } from './record.ts';
import { Rules } from './rules/rules.ts';
import { machineName, type Store } from './store.ts';
import type { InFlight } from './verdicts/suspects.ts';
import { WatchedCell, type AnswerOutcome } from './cells/watched-cell.ts';

/** A router that starts while the store is silent becomes ready without it after this long. */
const STORE_SILENT_MS = 1_000;

export class Monitor {
  readonly quarantine = new QuarantineList();
  readonly #config: Config;
  readonly #fleets: FleetHolder;
  readonly #store: Store;
  readonly #network: Network;
  readonly #log: Logger;
  readonly #rules: Rules;
  readonly #beats: Beats;
  readonly #confirmations: Confirmations;
  readonly #counts = new BucketCounts();
  readonly #deaths: DeathWatch;
  readonly #standbys: Standbys;
  readonly #cells = new Map<string, WatchedCell>();
  readonly #startedAtMs = performance.now();
  readonly #probeListeners: ((cell: string, well: boolean) => void)[] = [];
  readonly #lostListeners: ((cell: string) => void)[] = [];
  readonly #newsListeners: ((cell: string | null) => void)[] = [];
  /** A router that is restarted is another process, which the store must not take for the one before. */
  readonly #process = randomUUID().slice(0, 8);
  #inside: (cell: string) => Inside | Promise<Inside> = () => [];
  #ready = false;

  constructor(config: Config, fleets: FleetHolder, store: Store, network: Network, log: Logger) {
    this.#config = config;
    this.#fleets = fleets;
    this.#store = store;
    this.#network = network;
    this.#log = log;
    this.#rules = new Rules({
      placement: fleets.active.placement,
      cellToken: config.CELL_TOKEN ?? null,
      snapshotFile: config.SNAPSHOT_FILE ?? null,
      handoverMs: config.HANDOVER_MS,
      network,
      log,
    });
    this.#standbys = new Standbys(this.#rules.view);
    this.#deaths = new DeathWatch(
      lossMs(config),
      (cell) => this.#inside(cell),
      () => this.#beats.soon(),
    );
    this.#beats = new Beats(store, log, {
      message: () => this.#message(),
      records: () => this.#rules.view.records,
      // The first ones stand at once: until then it is not known where those are at home who are being moved.
      heard: (records) => this.#rules.learn(records, this.#ready && this.#rules.view.whole),
      quarantine: this.quarantine,
      taken: ({ accusations }) => this.#deaths.told(accusations),
      replied: (reply) => {
        this.#rules.toldAll();
        fleets.consider(reply.routers.map(({ fleetDigest }) => fleetDigest));
        this.quarantine.told(reply);
        this.#news(null);
      },
      // Nobody can say what the other routers have: a changed file waits for its time, not for the store.
      unanswered: () => {
        fleets.consider([]);
        this.#news(null);
      },
    });
    this.#confirmations = new Confirmations(() => this.#beats.soon());
    this.#rules.onChange((records) => this.#confirmations.follow(records));
    this.#rules.onReady((home, epoch) => this.#confirmations.ready(home, epoch));
    fleets.onActivate((fleet) => this.#watchCells(fleet));
    store.subscribe(
      (records, revision, quarantine) => {
        this.#rules.learn(records, this.#ready);
        this.quarantine.apply(quarantine, revision);
      },
      () => this.#beats.soon(),
    );
  }

  /** The name of this process in the store. */
  get machine(): string {
    return machineName({ router: this.#config.ROUTER_ID, process: this.#process });
  }

  start(): void {
    this.#watchCells(this.#fleets.active);
    if (this.#rules.view.records.length > 0) this.#beats.restoreSoon();
  }

  /** Stops probing and takes this router's beat away, so that no vote of a stopped router is counted. */
  async stop(): Promise<void> {
    this.#beats.stop();
    // The cells stay known: requests that still come while the router closes go where they went before.
    await Promise.all([...this.#cells.values()].map((cell) => cell.stop()));
    await this.#store.leave(this.machine).catch(() => undefined);
    await this.#rules.close();
  }

  /** Called with the records that changed, once this router goes by them; at once with those that it starts with. */
  onRecords(listener: (records: readonly HealthRecord[]) => void): void {
    this.#rules.onChange(listener);
  }

  /** Called after each probe; `well`: the cell answered as it should. */
  onProbe(listener: (cell: string, well: boolean) => void): void {
    this.#probeListeners.push(listener);
  }

  /** Called when this router finds a cell that it can not reach any more. */
  onLost(listener: (cell: string) => void): void {
    this.#lostListeners.push(listener);
  }

  /** Called whenever something may have changed that requests are decided by, records apart: of a cell, or of the store. */
  onNews(listener: (cell: string | null) => void): void {
    this.#newsListeners.push(listener);
  }

  /** `inside` answers who has requests in a cell now; a death is told once it has. */
  whoIsInside(inside: (cell: string) => Inside | Promise<Inside>): void {
    this.#inside = inside;
  }

  /** This router has nothing inside the cell that loses tenants by the handover of this epoch, and nothing comes to be. */
  confirmHeld(home: string, epoch: number): void {
    // By an older fleet file it would not know where they are at home afterwards.
    if (!canFollow(this.recordOf(home), this.#fleets.active.placement)) return;
    this.#confirmations.held(home, epoch);
  }

  /** A record that the store answered an operator with. */
  learn(record: HealthRecord): void {
    this.#rules.learn([record], this.#ready);
  }

  /** Somebody knows more than this router: asks the store now instead of at the next beat. */
  askStore(): void {
    this.#beats.soon();
  }

  /** Brings the rule in force for `home` to `cell`. */
  async deliverRule(home: string, cell: string): Promise<void> {
    await this.#rules.deliver(home, cell);
  }

  /**
   * Ready: every cell was asked once, and the records are read or the store has been silent for a second. Once ready
   * it stays so: a cell that joins later must not hold up the tenants of the others.
   */
  get ready(): boolean {
    if (this.#ready) return true;
    const silent = performance.now() - this.#startedAtMs >= STORE_SILENT_MS;
    this.#ready = this.#allProbed && (this.#beats.ageMs !== null || silent);
    return this.#ready;
  }

  get #allProbed(): boolean {
    return [...this.#cells.values()].every((cell) => cell.probed);
  }

  /** How old the shared knowledge is, in milliseconds; null while the store has never answered. */
  get knowledgeAgeMs(): number | null {
    return this.#beats.ageMs;
  }

  get storeAnswers(): boolean {
    return this.#beats.answered;
  }

  /** Whether the store is led by a newer release: this router votes, and decides nothing. */
  get passive(): boolean {
    return this.#beats.passive;
  }

  /** Live routers as last known, this one included. */
  get liveRouters(): number {
    return Math.max(1, this.#beats.routers.length);
  }

  /** By what the store tells them apart; empty while the store has never answered. */
  get machines(): readonly string[] {
    return this.#beats.routers.map(({ name }) => name);
  }

  /** IDs under which more than one router has beaten for long: each is to have one of its own. */
  get sharedIds(): readonly string[] {
    return this.#beats.sharedIds;
  }

  /** Different fleet files that live routers have loaded, as last known: more than one is an alarm. */
  get fleetDigests(): number {
    return new Set(this.#beats.routers.map(({ fleetDigest }) => fleetDigest)).size;
  }

  /** How far the live routers agree: the share (0–1) that knows the newest records, and the oldest beat's age. */
  get convergence(): { current: number; oldestMs: number } {
    const { routers } = this.#beats;
    const current = routers.filter((router) => router.current).length;
    return {
      current: routers.length === 0 ? 1 : current / routers.length,
      oldestMs: Math.max(0, ...routers.map(({ ageMs }) => ageMs)),
    };
  }

  /** Homes that should fail over and are held back, and why: each is an alarm. */
  get held(): readonly Held[] {
    return this.#beats.held;
  }

  /** Why the failover of `home` is held back; null: it is not. */
  heldBack(home: string): HeldWhy | null {
    return this.held.find((one) => one.home === home)?.why ?? null;
  }

  /** A request of `tenant` was refused for want of its cell: the incident's ledger counts it. */
  countRefused(home: string, tenant: string): void {
    this.#beats.refusals.count(home, this.recordOf(home).epoch, tenant, steadyNow());
  }

  opinionOf(cell: string): OpinionState {
    return this.#cells.get(cell)?.state ?? 'unknown';
  }

  /** `release`: the cell fails, and has done so since its version changed. */
  suspectOf(cell: string): 'release' | null {
    const vote = this.#cells.get(cell)?.vote;
    return vote?.opinion === 'down' ? (vote.suspect ?? null) : null;
  }

  versionOf(cell: string): string | null {
    return this.#cells.get(cell)?.version ?? null;
  }

  isUnreachable(cell: string): boolean {
    return this.#cells.get(cell)?.unreachable ?? false;
  }

  /** How far the cell's clock is ahead of `steadyNow`, in milliseconds. */
  clockOffsetOf(cell: string): number {
    return this.#cells.get(cell)?.clock.offsetMs ?? 0;
  }

  /** Now, in epoch milliseconds of the cell's own clock, as far as it has shown it. */
  timeAt(cell: string): number {
    return this.#cells.get(cell)?.clock.nowMs ?? steadyNow();
  }

  /** What the home's neighbour in force says of its standby of it; null: it told of none, or there is no neighbour. */
  standbyOf(home: string): Standby | null {
    const { neighbour } = this.recordOf(home);
    return neighbour === null ? null : this.#standbys.of(neighbour, home);
  }

  /** Whether the home's neighbour lacks the standby that the fleet in force requires, as far as this router knows. */
  lacksStandby(home: string): boolean {
    return this.#fleets.active.requiresStandby && this.standbyOf(home)?.state !== 'synced';
  }

  /** Whether the cell has more than it can carry. */
  isPressed(cell: string): boolean {
    return this.#cells.get(cell)?.pressed ?? false;
  }

  recordOf(home: string): HealthRecord {
    return this.#rules.view.recordOf(home);
  }

  /** Every record that is known, also of homes that have left the fleet. */
  get records(): readonly HealthRecord[] {
    return this.#rules.view.records;
  }

  /** Whether all records were told at least once. */
  get whole(): boolean {
    return this.#rules.view.whole;
  }

  /** Whether all that happened to the home is known here, if it is only that nothing ever did. */
  knows(home: string): boolean {
    return this.#rules.view.whole || this.#rules.view.knows(home);
  }

  /** The home that its own cut-overs took a tenant to; null: it had none. */
  movedTenant(tenant: string): string | null {
    return this.#rules.view.movedTenant(tenant);
  }

  /** Whether a later generation than the fleet file in force knows may have taken the bucket from this home. */
  isOvertaken(home: string, bucket: number): boolean {
    return this.#rules.view.isOvertaken(home, bucket);
  }

  /** The home of a tenant of the fleet in force; null: nobody can tell whether it was moved from there. */
  homeOf(tenant: string): string | null {
    return homeOf(this.#fleets.active.placement.locate(tenant), this);
  }

  /** Whether the tenant is at a home from which it is to be cut over to this one. */
  movesTo(tenant: string, to: string): boolean {
    return movesTo(this.#fleets.active.placement.locate(tenant), to, this);
  }

  /** The records of all homes that something was moved from, of some that have left the fleet as well. */
  get movedFrom(): readonly HealthRecord[] {
    return this.#rules.view.records.filter(({ moved }) => moved.length > 0);
  }

  /** How many buckets each cell is the home of, and how many are to be cut over from there; by what is known now. */
  get buckets(): ReadonlyMap<string, CellBuckets> {
    return this.#counts.now(this.#fleets.active.placement, this.#rules.view.moves, this);
  }

  hasCell(cell: string): boolean {
    return this.#cells.has(cell);
  }

  observeNoConnection(cell: string, reason: string): void {
    this.#cells.get(cell)?.observeNoConnection(reason);
  }

  observeAnswer(cell: string, outcome: AnswerOutcome, tenant: string | null): void {
    this.#cells.get(cell)?.observeAnswer(outcome, tenant);
  }

  observeBroken(cell: string, one: InFlight): void {
    this.#deaths.broke(cell, one);
  }

  ownStandIn(home: string): string | null {
    const { REDIS_DOWN_POLICY, REDIS_DOWN_LOCAL_MS } = this.#config;
    if (REDIS_DOWN_POLICY !== 'local' || !this.#beats.lost) return null;
    if ((this.knowledgeAgeMs ?? Number.POSITIVE_INFINITY) < REDIS_DOWN_LOCAL_MS) return null;
    const { neighbour } = this.recordOf(home);
    if (neighbour === null || this.opinionOf(neighbour) !== 'up' || this.lacksStandby(home)) return null;
    // A fenced cell refuses tenants that no rule gave it: asking it would be in vain.
    return this.#rules.isFenced(neighbour) ? null : neighbour;
  }

  #watchCells(fleet: Fleet): void {
    this.#rules.view.setPlacement(fleet.placement);
    this.#standbys.setPlacement(fleet.placement);
    const wanted = new Set(fleet.placement.cells);
    for (const [id, watched] of this.#cells) {
      if (wanted.has(id) && fleet.cells.get(id)?.origin === watched.origin) continue;
      this.#cells.delete(id);
      this.#standbys.forget(id);
      void watched.stop();
    }
    for (const id of wanted) {
      const cell = fleet.cells.get(id);
      if (cell === undefined || this.#cells.has(id)) continue;
      const events = {
        turned: (turned: WatchedCell) => this.#turned(turned),
        probed: (probed: WatchedCell, result: ProbeResult) => this.#probed(probed, result),
        failsAlone: (failing: WatchedCell, tenant: string) => this.#failsAlone(failing, tenant),
      };
      this.#cells.set(id, new WatchedCell(id, cell.origin, this.#config, this.#network, events));
    }
    this.#beats.soon();
  }

  #news(cell: string | null): void {
    for (const listener of this.#newsListeners) listener(cell);
  }

  #failsAlone({ id }: WatchedCell, tenant: string): void {
    this.#deaths.failsAlone({ cell: id, home: this.homeOf(tenant) ?? id, tenant });
    this.#beats.soon();
  }

  #turned(cell: WatchedCell): void {
    const { id, state, vote, unreachable } = cell;
    this.#deaths.look(cell);
    const reason = vote?.opinion === 'down' ? vote.reason : undefined;
    this.#log[state === 'down' ? 'warn' : 'info'](
      { cell: id, opinion: state, reason },
      'opinion of a cell changed',
    );
    if (unreachable) for (const listener of this.#lostListeners) listener(id);
    this.#news(id);
    if (!this.#deaths.isGathering(id)) this.#beats.soon();
  }

  #probed(cell: WatchedCell, { ok, told }: ProbeResult): void {
    const { id, origin } = cell;
    // One that was found ill before turns out to be dead.
    if (this.#deaths.look(cell)) this.#beats.soon();
    if (told !== null) {
      this.#standbys.hear(id, told.standbys);
      this.#rules.hear(id, told.rules);
      this.#rules.reconcile(id, origin, told.epochs);
    }
    if (this.#allProbed && this.#rules.adoptShown((cell) => this.isUnreachable(cell)))
      this.#beats.restoreSoon();
    for (const listener of this.#probeListeners) listener(id, ok);
    this.#news(id);
  }

  /** Told whatever the fleet requires: a file that begins to require it finds all that is known. */
  #withStandbys(cell: string, vote: Vote): Vote {
    if (vote.opinion === 'down') return vote;
    const standbys = this.#standbys.syncedAt(cell);
    return standbys.length === 0 ? vote : { ...vote, standbys };
  }

  #message(): Message {
    const votes: Record<string, Vote> = {};
    for (const [id, { vote }] of this.#cells) {
      // A death is judged by all who tell of it: the vote comes together with who was inside, and never before.
      if (vote !== undefined && !this.#deaths.isGathering(id)) votes[id] = this.#withStandbys(id, vote);
    }
    const { placement, cells, requiresStandby } = this.#fleets.active;
    const weights = this.#counts.lately(placement, this.#rules.view.moves, this);
    const accusations = this.#deaths.pending;
    return {
      router: this.#config.ROUTER_ID,
      process: this.#process,
      fleetDigest: this.#fleets.loadedDigest,
      votes,
      homes: placement.cells.map((home) => ({
        home,
        neighbour: placement.neighbourOf(home),
        buckets: weights.get(home)?.owned ?? 0,
        zone: cells.get(home)?.zone ?? null,
      })),
      minDwellMs: this.#config.MIN_DWELL_MS,
      neighbourLostMs: this.#config.NEIGHBOUR_LOST_MS,
      maxFailedOver: this.#config.MAX_FAILED_OVER,
      handoverMs: this.#config.HANDOVER_MS,
      requiresStandby,
      fleetInForce: this.#fleets.loadedDigest === this.#fleets.active.digest,
      confirmations: this.#confirmations.told,
      ...(accusations === undefined ? {} : { accusations }),
    };
  }
}

/** However little traffic a cell has, probes find it lost within this time of its death. */
function lossMs({ FALL, PROBE_INTERVAL_MS, PROBE_TIMEOUT_MS }: Config): number {
  return (FALL + 1) * (PROBE_INTERVAL_MS + PROBE_TIMEOUT_MS);
}
