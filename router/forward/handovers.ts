// Handovers under way: what is still inside the cells that lose tenants, and the end of the streams among it.
import type { HealthRecord } from '../health/record.ts';
import { losersAndGainers, servedBy } from '../health/verdicts/served-by.ts';
import { LIMITS } from '../limits.ts';
import type { Delivery } from './delivery.ts';
import type { Spread, Stream, Streams } from './streams.ts';

export type HandoverOptions = {
  /** `HANDOVER_MS`. */
  handoverMs: number;
  /** `RECONNECT_SPREAD_MS`. */
  spreadMs: number;
  homes: Homes;
};

/** Where tenants are at home, by what is known now. */
export type Homes = {
  /** Null: it can not be told. */
  homeOf(tenant: string): string | null;
  /** Whether the tenant is at a home from which it is to be cut over to this one. */
  movesTo(tenant: string, to: string): boolean;
};

/** A home's handover: the epoch of its closing record, and the requests that it waits for. */
type Closing = { epoch: number; inside: Set<Delivery> };

/**
 * From the moment a closing record is followed nothing goes to the cell that loses a tenant: every sending asks the
 * record first, in the same turn (`Courier`). So what is inside then only grows less; once nothing is, that stays so.
 */
export class Handovers {
  readonly #streams: Streams;
  readonly #spread: Spread;
  readonly #homes: Homes;
  readonly #closing = new Map<string, Closing>();
  readonly #handoverMs: number;
  /** Home → when its last handover ended here, in `performance.now()` milliseconds. */
  readonly #endedMs = new Map<string, number>();
  readonly #listeners: ((home: string, epoch: number) => void)[] = [];

  constructor(streams: Streams, { handoverMs, spreadMs, homes }: HandoverOptions) {
    this.#streams = streams;
    this.#homes = homes;
    this.#handoverMs = handoverMs;
    // A client that does not answer a close must not hold the handover up until it is undone.
    this.#spread = { spreadMs, lingerMs: Math.min(LIMITS.lingerMs, handoverMs / 4) };
  }

  /** Called when nothing of the tenants that change is inside the cell that loses them, for each handover once. */
  onHeld(listener: (home: string, epoch: number) => void): void {
    this.#listeners.push(listener);
  }

  /** A home's record has changed. `underWay`: what its tenants have under way in any cell. */
  follow(record: HealthRecord, underWay: Iterable<Delivery>): void {
    const { home, epoch } = record;
    if (record.phase === 'open') {
      if (this.#closing.delete(home)) this.#endedMs.set(home, performance.now());
      return;
    }
    const { losers } = losersAndGainers(record);
    const isLost = (cell: string, tenant: string): boolean =>
      losers.includes(cell) && servedBy(record, tenant) === null && this.#leaves(record, tenant);
    const inside = new Set<Delivery>();
    const closing = { epoch, inside };
    this.#closing.set(home, closing);
    for (const delivery of underWay) {
      const { attempt } = delivery;
      if (attempt === null || attempt.over || !isLost(attempt.served.cell, delivery.tenant)) continue;
      inside.add(delivery);
      delivery.whenOut = () => this.#left(home, closing, delivery);
    }
    this.#streams.endWhere(home, ({ cell, tenant }) => isLost(cell, tenant), this.#spread);
    if (inside.size === 0) this.#held(home, epoch);
  }

  /**
   * What waited for the handover has gone to its cell all at once, and may fill the lane for a moment: a handover may have
   * closed for so long, and for as long again a request that finds no room waits for some.
   */
  endedLately(home: string): boolean {
    const endedMs = this.#endedMs.get(home);
    return endedMs !== undefined && performance.now() - endedMs < this.#handoverMs;
  }

  /** One that is waited for turns out to have no end of its own. */
  streams(delivery: Delivery, stream: Stream): void {
    if (this.#closing.get(delivery.home)?.inside.has(delivery) === true) {
      this.#streams.endSoon(stream, this.#spread);
    }
  }

  /**
   * Ends the streams of `home`'s tenants that are in a cell which has been left by no handover, and is alive: also of those
   * that have another home since, be it by a cut-over that this router slept through, or by the fleet file.
   */
  endElsewhere(record: HealthRecord): void {
    const isElsewhere = ({ cell, tenant }: Stream): boolean => {
      const served = servedBy(record, tenant);
      return served !== null && (served !== cell || this.#hasLeft(record.home, tenant));
    };
    this.#streams.endWhere(record.home, isElsewhere, this.#spread);
  }

  /** Streams of requests without a tenant stay where they are: any cell will do. */
  #hasLeft(home: string, tenant: string): boolean {
    const now = tenant === '' ? null : this.#homes.homeOf(tenant);
    return now !== null && now !== home;
  }

  /** A cut-over's ranges hold tenants, too, that stay: new requests of theirs wait, but nothing of theirs need end. */
  #leaves({ handover }: HealthRecord, tenant: string): boolean {
    const to = handover?.to ?? null;
    return to === null || this.#homes.movesTo(tenant, to);
  }

  #left(home: string, closing: Closing, delivery: Delivery): void {
    closing.inside.delete(delivery);
    if (closing.inside.size === 0 && this.#closing.get(home) === closing) this.#held(home, closing.epoch);
  }

  #held(home: string, epoch: number): void {
    for (const listener of this.#listeners) listener(home, epoch);
  }
}
