// What becomes of a sending that ended without an answer for the client: sent again, held for a verdict, or refused.
import type { Served } from '../exchange.ts';
import type { AttemptEnd } from './attempt.ts';
import type { CellKnowledge } from './cell-knowledge.ts';
import type { Delivery, RetryBudget } from './delivery.ts';
import type { CellFailure } from './failure.ts';
import { inFlightIn, isStream } from './in-flight.ts';
import type { Waits } from './waits.ts';

/** Sendings again come a little apart: what made the first ones fail may need a moment. */
const RETRY_JITTER_MS = 20;

/** The way back to the steps. */
export type WayBack = {
  /** Takes the request through the steps again. False: where it is to go there is no room now. */
  place(delivery: Delivery): boolean;
  /** What waits in this queue waits for room in the cell alone, and is tried as others leave it. */
  crowded(cell: string, queue: string): void;
};

export class Aftermath {
  readonly #knowledge: CellKnowledge;
  readonly #waits: Waits;
  readonly #retries: RetryBudget;
  readonly #courier: WayBack;

  constructor(knowledge: CellKnowledge, waits: Waits, retries: RetryBudget, courier: WayBack) {
    this.#knowledge = knowledge;
    this.#waits = waits;
    this.#retries = retries;
    this.#courier = courier;
  }

  /** A sending ended without an answer for the client. */
  ended(delivery: Delivery, served: Served, end: AttemptEnd): void {
    delivery.ended();
    if (end.kind === 'misdirected') {
      delivery.writes += 1;
      this.#misdirected(delivery, served, end.epoch);
      return;
    }
    if (end.written) delivery.writes += 1;
    const { failure } = end;
    if (failure.blame === 'no-connection' || !end.written) {
      this.#unreached(delivery, served, failure);
      return;
    }
    if (failure.blame !== 'none') {
      this.#knowledge.observeAnswer(served.cell, 'bad', delivery.exchange.tenant);
    }
    if (failure.blame === 'reset') this.#broke(delivery, served.cell);
    if (failure.blame === 'reset' && delivery.idempotent && delivery.repeatable)
      this.#again(delivery, served, failure);
    else delivery.exchange.refuse(failure.code, failure.detail);
  }

  /** If this is the cell's death, the tenant was there. */
  #broke(delivery: Delivery, cell: string): void {
    const one = isStream(delivery) ? null : inFlightIn(delivery, cell);
    if (one !== null) this.#knowledge.observeBroken(cell, one);
    delivery.brokeIn = cell;
  }

  /** No byte of it was written: it may wait for what the verdict says, whatever its method. */
  #unreached(delivery: Delivery, { cell }: Served, failure: CellFailure): void {
    if (failure.blame !== 'none') this.#knowledge.observeNoConnection(cell, failure.detail);
    if (failure.blame !== 'none' && delivery.repeatable) {
      this.#waits.holdOrRefuse(delivery, cell, failure.code, failure.detail);
    } else delivery.exchange.refuse(failure.code, failure.detail);
  }

  /** Written, and then the connection broke: once more to the same cell if its budget allows, else after a verdict. */
  #again(delivery: Delivery, { cell }: Served, failure: CellFailure): void {
    delivery.suspect = cell;
    if (this.#knowledge.opinionOf(cell) !== 'down' && this.#retries.allows(cell)) {
      const reserved = this.#retries.begin(cell);
      this.placeIn(Math.random() * RETRY_JITTER_MS, delivery, reserved);
      return;
    }
    this.#waits.holdOrRefuse(delivery, cell, failure.code, failure.detail);
  }

  /** 421: not processed, so that any method may be sent again, once. The one with the older rule learns first. */
  #misdirected(delivery: Delivery, { cell, epoch: ours }: Served, theirs: number | null): void {
    if (!delivery.repeatable) {
      delivery.exchange.refuse('cell-unavailable', 'The cells do not agree yet on who serves this tenant.');
      return;
    }
    if (theirs !== null && theirs > ours) {
      delivery.neededEpoch = theirs;
      // The rule may have come while the request was under way: then nothing else would wake it.
      if (this.#knowledge.recordOf(delivery.home).epoch >= theirs) {
        this.#placeAgain(delivery);
        return;
      }
      this.#knowledge.askStore();
      this.#waits.holdOrRefuse(delivery, cell, 'cell-unavailable', null);
      return;
    }
    this.#knowledge.deliverRule(delivery.home, cell).then(
      () => this.#placeAgain(delivery),
      () => delivery.exchange.refuse('cell-unavailable', null),
    );
  }

  /** A verdict has taken its tenant away from the cell it is inside: a frozen one would keep it for ever. */
  overtaken(delivery: Delivery): void {
    const { attempt, exchange } = delivery;
    if (attempt === null || attempt.answering || attempt.served.cell === this.#waits.cellOf(delivery)) return;
    if (attempt.written) {
      delivery.writes += 1;
      delivery.brokeIn = attempt.served.cell;
    }
    attempt.cancel();
    delivery.ended();
    const again = delivery.repeatable && (delivery.idempotent || !attempt.written);
    if (!again) exchange.refuse('cell-timeout', 'The cell was given up before it answered.');
    else this.#placeAgain(delivery);
  }

  /** Takes it through the steps again after `waitMs`; `first` is called before. */
  placeIn(waitMs: number, delivery: Delivery, first?: () => void): void {
    setTimeout(() => {
      first?.();
      this.#placeAgain(delivery);
    }, waitMs);
  }

  /** Where there is no room for it now, it waits for some. */
  #placeAgain(delivery: Delivery): void {
    if (this.#courier.place(delivery)) return;
    const cell = this.#waits.cellOf(delivery);
    if (this.#waits.hold(cell, delivery)) this.#courier.crowded(cell, cell);
    else delivery.exchange.refuse('cell-overloaded', null);
  }
}
