// Health as a worker's requests ask it, answered from what the primary told, and what they meet, told to it: none of them waits.
import { homeOf, movesTo } from '../find-home.ts';
import type { OpinionState } from '../health/cells/opinion.ts';
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import type { QuarantineList } from '../health/quarantine-list.ts';
import type { HealthRecord, HeldWhy } from '../health/record.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';
import type { RequestHealth } from '../request-health.ts';
import type { Sightings } from './sightings.ts';
import type { Told } from './told.ts';

/** The way to the primary, for what only it can do. */
export type Upwards = {
  sightings: Sightings;
  deliverRule(home: string, cell: string): Promise<void>;
  confirmHeld(home: string, epoch: number): void;
};

export class Mirror implements RequestHealth {
  readonly #told: Told;
  readonly #up: Upwards;
  #inside: (cell: string) => readonly InFlight[] = () => [];

  constructor(told: Told, up: Upwards) {
    this.#told = told;
    this.#up = up;
  }

  /** Who has requests of this worker in a cell now. */
  inside(cell: string): readonly InFlight[] {
    return this.#inside(cell);
  }

  whoIsInside(inside: (cell: string) => readonly InFlight[]): void {
    this.#inside = inside;
  }

  onRecords(listener: (records: readonly HealthRecord[]) => void): void {
    this.#told.onRecords(listener);
  }

  onProbe(listener: (cell: string, well: boolean) => void): void {
    this.#told.onProbe(listener);
  }

  onLost(listener: (cell: string) => void): void {
    this.#told.onLost(listener);
  }

  get quarantine(): QuarantineList {
    return this.#told.quarantine;
  }

  get ready(): boolean {
    return this.#told.status.ready;
  }

  get liveRouters(): number {
    return this.#told.status.liveRouters;
  }

  get storeAnswers(): boolean {
    return this.#told.status.storeAnswers;
  }

  heldBack(home: string): HeldWhy | null {
    return this.#told.status.held.find((one) => one.home === home)?.why ?? null;
  }

  opinionOf(cell: string): OpinionState {
    return this.#told.cells.get(cell)?.opinion ?? 'unknown';
  }

  hasCell(cell: string): boolean {
    return this.#told.cells.has(cell);
  }

  isUnreachable(cell: string): boolean {
    return this.#told.cells.get(cell)?.unreachable ?? false;
  }

  isPressed(cell: string): boolean {
    return this.#told.pressed.has(cell);
  }

  timeAt(cell: string): number {
    return this.#told.primaryNow + (this.#told.cells.get(cell)?.offsetMs ?? 0);
  }

  ownStandIn(home: string): string | null {
    return this.#told.cells.get(home)?.standIn ?? null;
  }

  recordOf(home: string): HealthRecord {
    return this.#told.view.recordOf(home);
  }

  knows(home: string): boolean {
    return this.#told.status.whole || this.#told.view.knows(home);
  }

  movedTenant(tenant: string): string | null {
    return this.#told.view.movedTenant(tenant);
  }

  isOvertaken(home: string, bucket: number): boolean {
    return this.#told.view.isOvertaken(home, bucket);
  }

  homeOf(tenant: string): string | null {
    return homeOf(this.#told.active.placement.locate(tenant), this);
  }

  movesTo(tenant: string, to: string): boolean {
    return movesTo(this.#told.active.placement.locate(tenant), to, this);
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
}
