// What a worker knows of health and of the fleet, kept in its own memory as the primary tells it: no request asks another process.
import { findHome } from '../find-home.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { ActiveFleet } from '../fleet/holder.ts';
import { steadyNow, steadyOriginMs } from '../health/cells/cell-clock.ts';
import type { OpinionState } from '../health/cells/opinion.ts';
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import { QuarantineList } from '../health/quarantine-list.ts';
import type { HealthRecord, HeldWhy } from '../health/record.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';
import { HealthView } from '../health/view.ts';
import { buildPlacement } from '../placement/placement.ts';
import type { RequestHealth } from '../request-health.ts';
import type { CellState, FleetData, News, Status } from './messages.ts';
import type { Sightings } from './sightings.ts';

/** The way to the primary, for what only it can do. */
export type Upwards = {
  sightings: Sightings;
  deliverRule(home: string, cell: string): Promise<void>;
  confirmHeld(home: string, epoch: number): void;
};

const NOTHING_KNOWN: Status = {
  ready: false,
  whole: false,
  storeAnswers: false,
  liveRouters: 1,
  held: [],
  storeAheadMs: 0,
};

export class Mirror implements RequestHealth, ActiveFleet {
  readonly quarantine = new QuarantineList();
  readonly #up: Upwards;
  /** What the primary's steady clock is ahead of this process' own. */
  readonly #aheadMs: number;
  readonly #view: HealthView;
  readonly #cells = new Map<string, CellState>();
  readonly #pressed = new Set<string>();
  readonly #fleetListeners: ((fleet: Fleet) => void)[] = [];
  readonly #recordListeners: ((records: readonly HealthRecord[]) => void)[] = [];
  readonly #probeListeners: ((cell: string, well: boolean) => void)[] = [];
  readonly #lostListeners: ((cell: string) => void)[] = [];
  #fleet: Fleet;
  #status = NOTHING_KNOWN;
  #inside: (cell: string) => readonly InFlight[] = () => [];

  /** `news`: all that is known, the fleet first. `steadyOriginMs`: of the primary's steady clock. */
  constructor([first, ...rest]: readonly News[], clock: { steadyOriginMs: number }, up: Upwards) {
    if (first?.kind !== 'fleet') throw new TypeError('the fleet comes first');
    this.#up = up;
    this.#aheadMs = clock.steadyOriginMs - steadyOriginMs();
    this.#fleet = fleetOf(first.fleet);
    this.#view = new HealthView(this.#fleet.placement);
    this.take(rest);
  }

  /** The primary told what has changed. */
  take(news: readonly News[]): void {
    for (const one of news) this.#take(one);
  }

  /** Who has requests of this worker in a cell now. */
  inside(cell: string): readonly InFlight[] {
    return this.#inside(cell);
  }

  get active(): Fleet {
    return this.#fleet;
  }

  onActivate(listener: (fleet: Fleet) => void): void {
    this.#fleetListeners.push(listener);
  }

  onRecords(listener: (records: readonly HealthRecord[]) => void): void {
    this.#recordListeners.push(listener);
    const { records } = this.#view;
    if (records.length > 0) listener(records);
  }

  onProbe(listener: (cell: string, well: boolean) => void): void {
    this.#probeListeners.push(listener);
  }

  onLost(listener: (cell: string) => void): void {
    this.#lostListeners.push(listener);
  }

  whoIsInside(inside: (cell: string) => readonly InFlight[]): void {
    this.#inside = inside;
  }

  get ready(): boolean {
    return this.#status.ready;
  }

  get liveRouters(): number {
    return this.#status.liveRouters;
  }

  get storeAnswers(): boolean {
    return this.#status.storeAnswers;
  }

  heldBack(home: string): HeldWhy | null {
    return this.#status.held.find((one) => one.home === home)?.why ?? null;
  }

  opinionOf(cell: string): OpinionState {
    return this.#cells.get(cell)?.opinion ?? 'unknown';
  }

  hasCell(cell: string): boolean {
    return this.#cells.has(cell);
  }

  isUnreachable(cell: string): boolean {
    return this.#cells.get(cell)?.unreachable ?? false;
  }

  isPressed(cell: string): boolean {
    return this.#pressed.has(cell);
  }

  timeAt(cell: string): number {
    return steadyNow() + this.#aheadMs + (this.#cells.get(cell)?.offsetMs ?? 0);
  }

  ownStandIn(home: string): string | null {
    return this.#cells.get(home)?.standIn ?? null;
  }

  recordOf(home: string): HealthRecord {
    return this.#view.recordOf(home);
  }

  knows(home: string): boolean {
    return this.#status.whole || this.#view.knows(home);
  }

  movedTenant(tenant: string): string | null {
    return this.#view.movedTenant(tenant);
  }

  isOvertaken(home: string, bucket: number): boolean {
    return this.#view.isOvertaken(home, bucket);
  }

  homeOf(tenant: string): string | null {
    const found = findHome(this.#fleet.placement.locate(tenant), this);
    return 'refusal' in found ? null : found.home;
  }

  movesTo(tenant: string, to: string): boolean {
    const found = findHome(this.#fleet.placement.locate(tenant), this);
    return 'movingTo' in found && found.movingTo === to;
  }

  observeNoConnection(cell: string, reason: string): void {
    this.#up.sightings.noConnection(cell, reason);
  }

  observeAnswer(cell: string, outcome: AnswerOutcome, tenant: string | null): void {
    this.#up.sightings.answered(cell, outcome, tenant);
  }

  observeBroken(cell: string, one: InFlight): void {
    this.#up.sightings.broke(cell, one);
  }

  countRefused(home: string, tenant: string): void {
    this.#up.sightings.refused(home, tenant);
  }

  askStore(): void {
    this.#up.sightings.askStore();
  }

  async deliverRule(home: string, cell: string): Promise<void> {
    await this.#up.deliverRule(home, cell);
  }

  confirmHeld(home: string, epoch: number): void {
    this.#up.confirmHeld(home, epoch);
  }

  #take(news: News): void {
    if (news.kind === 'fleet') this.#activate(fleetOf(news.fleet));
    else if (news.kind === 'records') this.#learn(news.records);
    else if (news.kind === 'status') this.#heard(news.status);
    else if (news.kind === 'lost') for (const listener of this.#lostListeners) listener(news.cell);
    else if (news.kind === 'probed') this.#probed(news);
    else if (news.kind === 'quarantine') this.quarantine.learn(news.change.tenant, news.change.entry);
    else if (news.state !== null) this.#cells.set(news.cell, news.state);
    else this.#cells.delete(news.cell);
  }

  #activate(fleet: Fleet): void {
    this.#fleet = fleet;
    this.#view.setPlacement(fleet.placement);
    for (const listener of this.#fleetListeners) listener(fleet);
  }

  /** The primary has settled which of two records of one epoch stands: whatever it tells does. */
  #learn(records: readonly HealthRecord[]): void {
    const taken = this.#view.apply(records, new Set(records.map(({ home }) => home)));
    if (taken.length > 0) for (const listener of this.#recordListeners) listener(taken);
  }

  #heard(status: Status): void {
    this.#status = status;
    const storeMs = steadyNow() + this.#aheadMs + status.storeAheadMs;
    this.quarantine.told({ storeMs, revision: 0, incarnation: '', quarantine: null });
  }

  #probed({ cell, well, pressed }: Extract<News, { kind: 'probed' }>): void {
    if (pressed) this.#pressed.add(cell);
    else this.#pressed.delete(cell);
    for (const listener of this.#probeListeners) listener(cell, well);
  }
}

function fleetOf(data: FleetData): Fleet {
  return { ...data, placement: buildPlacement(data.history) };
}
