// What a request waits for that has no cell now: a verdict, or the end of a handover; and whether there is use in waiting.
import type { RefusalCode } from '../errors.ts';
import type { HeldWhy } from '../health/record.ts';
import { servedBy } from '../health/verdicts/served-by.ts';
import type { CellKnowledge } from './cell-knowledge.ts';
import type { Delivery } from './delivery.ts';
import type { Holds } from './holds.ts';

const NOBODY_UP = 'Neither its cell nor the neighbour is up.';
const HELD_BACK: Record<Exclude<HeldWhy, 'warming-up'>, string> = {
  'no-target': NOBODY_UP,
  'no-standby': 'Its failover is held back: the neighbour has no synced standby of its cell.',
  budget: 'Its failover is held back: too many cells are away already.',
  'suspect-release': 'Its failover is held back: a new release is to blame.',
};

export class Waits {
  readonly #knowledge: CellKnowledge;
  readonly #holds: Holds<Delivery>;

  constructor(knowledge: CellKnowledge, holds: Holds<Delivery>) {
    this.#knowledge = knowledge;
    this.#holds = holds;
  }

  /** It waits in the queue of `cell`. False: there is no room for it, or no time left. */
  hold(cell: string, delivery: Delivery): boolean {
    delivery.waitsFor = cell;
    return this.#holds.hold(cell, delivery);
  }

  /** It waits for a verdict on `cell`, or is refused with this where there is no use, or no room, in waiting. */
  holdOrRefuse(delivery: Delivery, cell: string, code: RefusalCode, detail: string | null): void {
    const { exchange, home, tenant } = delivery;
    if (!exchange.open) return;
    if (servedBy(this.#knowledge.recordOf(home), tenant) === null) {
      this.holdMoving(delivery);
      return;
    }
    const vain = this.#whyNotWait(delivery) ?? (this.hold(cell, delivery) ? null : 'Too many wait.');
    if (vain !== null) exchange.refuse(code, detail ?? vain);
  }

  /** Its tenant is being handed over: it waits for the end of that, whether the store answers now or not. */
  holdMoving(delivery: Delivery): void {
    delivery.moving = true;
    if (this.hold(movingQueue(delivery.home), delivery)) return;
    delivery.exchange.refuse('placement-moving', 'Too many wait, or it has waited for as long as it may.');
  }

  /** The cell that it is to go to, whether it can be reached and has room or not. */
  cellOf({ home, tenant }: Delivery): string {
    const record = this.#knowledge.recordOf(home);
    return servedBy(record, tenant) ?? record.target;
  }

  /** It has waited for as long as it may. */
  giveUp({ exchange, crowded, moving }: Delivery): void {
    if (crowded) exchange.refuse('cell-overloaded', 'No room was found in time.');
    else if (moving) exchange.refuse('placement-moving', 'The handover did not end in time.');
    else exchange.refuse('cell-unavailable', 'No verdict came in time.');
  }

  /**
   * A verdict can help only if somebody can pass one, and the other cell of the pair is there; null: it can. A cell that
   * comes back may be up to the majority before it is to this router: while it answers probes there is hope. A newer rule
   * that a cell knows is passed already: where the store does not tell it, the cell's next health answer does.
   */
  #whyNotWait(delivery: Delivery): string | null {
    const { home, neededEpoch } = delivery;
    const { epoch, neighbour } = this.#knowledge.recordOf(home);
    if (epoch < neededEpoch) return null;
    if (!this.#knowledge.storeAnswers) return 'No verdict can be had: the store does not answer.';
    const why = this.#knowledge.heldBack(home);
    if (why !== null && why !== 'warming-up') return HELD_BACK[why];
    const other = this.cellOf(delivery) === home ? neighbour : home;
    if (other === null || !this.#knowledge.hasCell(other)) return 'Its cell has no neighbour.';
    return this.#knowledge.isUnreachable(other) ? NOBODY_UP : null;
  }
}

/** Where those wait whose tenants are handed over; no cell is called so. */
export function movingQueue(home: string): string {
  return `moving:${home}`;
}
