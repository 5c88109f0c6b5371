// What is known of one request on its way to the cells of one home, and how often it may still be sent.
import type { InBag } from '../bag.ts';
import type { Role } from '../choose-cell.ts';
import type { Exchange } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import type { Attempt } from './attempt.ts';
import type { BodySource } from './body-source.ts';
import type { HoldKind, Waiting } from './holds.ts';
import type { EarlyBytes } from './tunnel.ts';

/** RFC 9110, section 9.2.2, and QUERY, which is safe. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']);

/** RFC 9110, section 9.2.1. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY']);

const nothing = (): void => undefined;

/** A lane: of a cell's own tenants or of guests, for requests or for what has no end of its own. */
export type Inside = { cell: string; role: Role; stream: boolean };

/** What the steps do for it. */
export type DeliverySteps = {
  place(delivery: Delivery): boolean;
  giveUp(delivery: Delivery): void;
  /** It has left a lane. */
  left(delivery: Delivery, inside: Inside): void;
};

export class Delivery implements Waiting, InBag {
  inBagAt = -1;
  readonly exchange: Exchange;
  /** What was cut over meanwhile has another one. */
  home: string;
  /** What came behind the head of an upgrade; null for an ordinary request. */
  readonly early: EarlyBytes | null;
  readonly body: BodySource | null;
  readonly #steps: DeliverySteps;
  attempt: Attempt | null = null;
  heldSinceMs: number | null = null;
  /** The cell whose verdict it waits for, or waited for last. */
  waitsFor: string | null = null;
  /** A cell that broke off a sending: sending to it again spends its budget. */
  suspect: string | null = null;
  /** A cell that broke it off, or was given up, with it inside. */
  brokeIn: string | null = null;
  /** It has let those go ahead to the other cell that were in none as it died. */
  wentBehind = false;
  /** When it was last sent, in `performance.now()` milliseconds. */
  sentAtMs = 0;
  /** There is a cell for it, which has no room now. */
  crowded = false;
  /** Its tenant is being handed over. */
  moving = false;
  /** A cell knows a rule of this epoch: with an older one there is no use in asking it again. */
  neededEpoch = 0;
  writes = 0;
  connections = 0;
  /** Whoever waits until it is inside no cell any more. */
  whenOut: (() => void) | null = null;
  /** The lane that it is inside of; null: it is in none. */
  #inside: Inside | null = null;
  #doneRetrying = nothing;

  constructor(
    exchange: Exchange,
    home: string,
    early: EarlyBytes | null,
    body: BodySource | null,
    steps: DeliverySteps,
  ) {
    this.exchange = exchange;
    this.home = home;
    this.early = early;
    this.body = body;
    this.#steps = steps;
  }

  place(): boolean {
    return this.#steps.place(this);
  }

  giveUp(): void {
    this.#steps.giveUp(this);
  }

  /** Whether it may be sent to a cell once more. */
  get repeatable(): boolean {
    return (
      this.writes < LIMITS.sendings &&
      this.connections < LIMITS.connections &&
      (this.body?.replayable ?? true)
    );
  }

  get idempotent(): boolean {
    return IDEMPOTENT.has(this.exchange.head.method);
  }

  /** The tenant by whose name its cell is found. */
  get tenant(): string {
    return this.exchange.tenant ?? '';
  }

  /**
   * A rule that a cell claims to know may never come, and a handover ends by itself: neither says anything of the verdict
   * that others wait for.
   */
  get decided(): boolean {
    return this.crowded || this.moving || this.neededEpoch > 0;
  }

  get kind(): HoldKind {
    if (this.crowded) return 'room';
    return this.moving ? 'handover' : 'verdict';
  }

  /** Whether it only reads. A WebSocket's upgrade is a GET that does not. */
  get reading(): boolean {
    return this.early === null && SAFE.has(this.exchange.head.method);
  }

  /** It is inside a lane until it leaves; leaving twice is leaving once. */
  entered(inside: Inside): void {
    this.#inside = inside;
  }

  leave(): void {
    const inside = this.#inside;
    this.#inside = null;
    if (inside !== null) this.#steps.left(this, inside);
  }

  /** It is inside no cell any more. */
  out(): void {
    const told = this.whenOut;
    this.whenOut = null;
    told?.();
  }

  /** Its sending is over, and the next one, if any, begins anew. */
  ended(): void {
    this.attempt = null;
    this.doneRetrying();
    this.leave();
    this.out();
  }

  retrying(done: () => void): void {
    this.#doneRetrying = done;
  }

  doneRetrying(): void {
    const done = this.#doneRetrying;
    this.#doneRetrying = nothing;
    done();
  }
}

/** Caps how many requests are being sent to one cell for a second time at once, over all clients of this router. */
export class RetryBudget {
  readonly #insideOf: (cell: string) => number;
  readonly #spent = new Map<string, number>();

  constructor(insideOf: (cell: string) => number) {
    this.#insideOf = insideOf;
  }

  allows(cell: string): boolean {
    const most = Math.max(LIMITS.retryFloor, Math.floor(this.#insideOf(cell) * LIMITS.retryRatio));
    return (this.#spent.get(cell) ?? 0) < most;
  }

  /** Spends one; answers what gives it back. */
  begin(cell: string): () => void {
    this.#spent.set(cell, (this.#spent.get(cell) ?? 0) + 1);
    return () => this.#spent.set(cell, (this.#spent.get(cell) ?? 1) - 1);
  }
}
