// Requests that wait for a verdict: bounded in number and time, oldest first, forgotten when their client leaves.
import { LIMITS } from '../limits.ts';

/** What for: a verdict, the end of a handover, or room in the cell that it is to go to. */
export type HoldKind = 'verdict' | 'handover' | 'room';

/** What waits. `place` is tried when something has changed; false: there is still no room, it goes on waiting. */
export type Waiting = {
  /** When it first began to wait, in `performance.now()` milliseconds: waiting twice counts once. */
  heldSinceMs: number | null;
  /** Of requests without one: ''. */
  readonly tenant: string;
  /** It waits for no verdict: there is one, and what is missing is room, or that this router hears of it. */
  readonly decided: boolean;
  readonly kind: HoldKind;
  place(): boolean;
  giveUp(): void;
};

export type HoldLimits = {
  /** `HOLD_MS`: how long a request waits in all. */
  holdMs: number;
  /** `HOLD_MAX`: how many wait in all. One cell's requests take half of them at most: a second cell may die, too. */
  holdMax: number;
};

/** `sinceMs`: when it began to wait for this, whatever it waited for before. */
type Hold = { timer: NodeJS.Timeout; kind: HoldKind; sinceMs: number };

/** In a queue that is half full one tenant has a quarter of the places at most: the others' requests find one, too. */
const CROWDED = 1 / 2;
const TENANT_MOST = 1 / 4;
/** So many it may have in any case. */
const TENANT_LEAST = 8;

type Queue<W> = {
  waiting: Map<W, Hold>;
  /** Tenant → how many of these are its own. */
  tenants: Map<string, number>;
  /** When the first began to wait, or when one last went its way: since then this queue stands still. */
  movedAtMs: number;
  closedUntilMs: number;
};

const always = (): boolean => true;

export class Holds<W extends Waiting = Waiting> {
  readonly #limits: HoldLimits;
  readonly #queues = new Map<string, Queue<W>>();
  readonly #listeners: ((kind: HoldKind, ms: number) => void)[] = [];
  #count = 0;

  constructor(limits: HoldLimits) {
    this.#limits = limits;
  }

  /** Called at the end of each hold, however it ended. Who waits for one thing after another has several. */
  onOver(listener: (kind: HoldKind, ms: number) => void): void {
    this.#listeners.push(listener);
  }

  /** Lets a request wait for `cell`. False: it may not, because there is no room or no more patience. */
  hold(cell: string, waiting: W): boolean {
    return this.#hold(this.#queueOf(cell), waiting, null);
  }

  /** `before`: what it has waited for until now, in this queue. */
  #hold(queue: Queue<W>, waiting: W, before: Hold | null): boolean {
    const nowMs = performance.now();
    const { holdMs, holdMax } = this.#limits;
    waiting.heldSinceMs ??= nowMs;
    const leftMs = waiting.heldSinceMs + holdMs - nowMs;
    if (leftMs <= 0 || nowMs < queue.closedUntilMs) return false;
    if (this.#count >= holdMax || !hasRoom(queue, waiting.tenant, Math.floor(holdMax / 2))) return false;
    if (queue.waiting.size === 0) queue.movedAtMs = nowMs;
    const { kind } = waiting;
    const goesOn = before !== null && before.kind === kind;
    if (before !== null && !goesOn) this.#over(before);
    const timer = setTimeout(() => this.#expire(queue, waiting), leftMs);
    queue.waiting.set(waiting, { timer, kind, sinceMs: goesOn ? before.sinceMs : nowMs });
    queue.tenants.set(waiting.tenant, (queue.tenants.get(waiting.tenant) ?? 0) + 1);
    this.#count += 1;
    return true;
  }

  /**
   * Something changed for the requests that wait for `cell`, or for some of them: each of these is tried once, oldest
   * first; the rest wait on.
   */
  wake(cell: string, concerns: (waiting: W) => boolean = always): void {
    const queue = this.#queues.get(cell);
    if (queue === undefined) return;
    let { movedAtMs } = queue;
    // A copy: a request that is placed may come back to wait within the same call, and must not be tried again in it.
    for (const waiting of Array.from(queue.waiting.keys())) {
      if (!queue.waiting.has(waiting) || !concerns(waiting)) continue;
      const hold = this.#forget(queue, waiting);
      if (waiting.place()) {
        movedAtMs = performance.now();
        const again = queue.waiting.get(waiting);
        // It came back to wait for the same again.
        if (hold !== null && again?.kind === hold.kind) again.sinceMs = hold.sinceMs;
        else this.#over(hold);
      } else if (!this.#hold(queue, waiting, hold)) {
        this.#over(hold);
        waiting.giveUp();
      }
    }
    queue.movedAtMs = movedAtMs;
  }

  /** The request's client has left, or it was answered otherwise. */
  release(cell: string, waiting: W): void {
    const queue = this.#queues.get(cell);
    if (queue !== undefined) this.#over(this.#forget(queue, waiting));
  }

  /** How many requests wait for each cell now. */
  *waiting(): Generator<{ cell: string; count: number }> {
    for (const [cell, { waiting }] of this.#queues) yield { cell, count: waiting.size };
  }

  /**
   * One has waited long enough. Where nothing moved in all that time no verdict comes soon, and the others need not
   * wait for it; where something did, its own patience has run out, or the room.
   */
  #expire(queue: Queue<W>, expired: W): void {
    this.#over(this.#forget(queue, expired));
    const stuck = !expired.decided && (expired.heldSinceMs ?? 0) >= queue.movedAtMs;
    expired.giveUp();
    if (!stuck) return;
    queue.closedUntilMs = performance.now() + LIMITS.noHoldMs;
    for (const waiting of Array.from(queue.waiting.keys())) {
      this.#over(this.#forget(queue, waiting));
      waiting.giveUp();
    }
  }

  /** Null: it did not wait there. */
  #forget(queue: Queue<W>, waiting: W): Hold | null {
    const hold = queue.waiting.get(waiting);
    if (hold === undefined) return null;
    clearTimeout(hold.timer);
    queue.waiting.delete(waiting);
    const left = (queue.tenants.get(waiting.tenant) ?? 0) - 1;
    if (left > 0) queue.tenants.set(waiting.tenant, left);
    else queue.tenants.delete(waiting.tenant);
    this.#count -= 1;
    return hold;
  }

  #over(hold: Hold | null): void {
    if (hold === null) return;
    const ms = performance.now() - hold.sinceMs;
    for (const listener of this.#listeners) listener(hold.kind, ms);
  }

  #queueOf(cell: string): Queue<W> {
    const known = this.#queues.get(cell);
    if (known !== undefined) return known;
    const queue: Queue<W> = {
      waiting: new Map(),
      tenants: new Map(),
      movedAtMs: 0,
      closedUntilMs: Number.NEGATIVE_INFINITY,
    };
    this.#queues.set(cell, queue);
    return queue;
  }
}

function hasRoom({ waiting, tenants }: Queue<Waiting>, tenant: string, places: number): boolean {
  if (waiting.size >= Math.max(1, places)) return false;
  const most = Math.max(TENANT_LEAST, places * TENANT_MOST);
  return waiting.size < places * CROWDED || (tenants.get(tenant) ?? 0) < most;
}
