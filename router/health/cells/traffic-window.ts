// A short window of a cell's answers to clients: how many were bad, and whether that is so without the loudest tenant.

/** Traffic tells something only over this many answers at least, within the window. */
const MIN_ANSWERS = 20;
/** And over this many of other tenants than the one with most bad answers. */
const MIN_OF_OTHERS = 5;
const RATIO = 0.5;
const WINDOW_MS = 2_000;

/** A power of two. */
const SLOTS = 512;
/** So many characters at the end of a tenant's name make its number: names differ there. */
const MIXED = 6;

type Count = { answers: number; marked: number };
type OfTenant = Count & { tenant: string };

export class TrafficWindow {
  #sinceMs = Number.NEGATIVE_INFINITY;
  #all: Count = { answers: 0, marked: 0 };
  /** Of the tenants that had a marked answer in this window. */
  readonly #byTenant = new Map<string, OfTenant>();
  /** The other answers, by a number made of their tenant: enough to tell how many one had before its first marked one. */
  readonly #before = new Uint32Array(SLOTS);
  /** The tenant with the most marked answers. */
  #loudest: OfTenant | null = null;

  /** `marked`: whether this answer is of the kind that is watched for. `nowMs`: any monotonic clock. */
  count(marked: boolean, tenant: string | null, nowMs: number): void {
    if (nowMs - this.#sinceMs > WINDOW_MS) this.#restart(nowMs);
    this.#all.answers += 1;
    const own = this.#countOf(tenant ?? '', marked);
    if (own === null) return;
    own.answers += 1;
    if (!marked) return;
    this.#all.marked += 1;
    own.marked += 1;
    if (own.marked > (this.#loudest?.marked ?? 0)) this.#loudest = own;
  }

  /**
   * Whether at least half of enough answers were marked, and half of what is left without the loudest tenant: what one
   * tenant sends must not decide about a cell, nor what it sends and another one's chance error.
   */
  get exceeded(): boolean {
    const { answers, marked } = this.#all;
    if (answers < MIN_ANSWERS || marked / answers < RATIO) return false;
    const others = answers - (this.#loudest?.answers ?? 0);
    return others >= MIN_OF_OTHERS && (marked - (this.#loudest?.marked ?? 0)) / others >= RATIO;
  }

  /** The same for a moment in time: a window that is over says nothing any more. */
  exceededAt(nowMs: number): boolean {
    return nowMs - this.#sinceMs <= WINDOW_MS && this.exceeded;
  }

  /**
   * The tenant that has all of the marked answers, where these are at least half of enough, and the others have enough
   * without any; '' are the requests without a tenant. Null: there is none.
   */
  get alone(): string | null {
    const { answers, marked } = this.#all;
    if (this.#loudest === null || answers < MIN_ANSWERS || marked / answers < RATIO) return null;
    const others = answers - this.#loudest.answers;
    return others >= MIN_OF_OTHERS && marked === this.#loudest.marked ? this.#loudest.tenant : null;
  }

  /** In words, for a vote's reason. */
  get words(): string {
    return `${this.#all.marked} of ${this.#all.answers} answers`;
  }

  forget(): void {
    this.#restart(Number.NEGATIVE_INFINITY);
  }

  #restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#all = { answers: 0, marked: 0 };
    if (this.#byTenant.size > 0) this.#byTenant.clear();
    this.#before.fill(0);
    this.#loudest = null;
  }

  /**
   * Null: it had no marked answer yet. Nearly no tenant has one, and most windows none at all: an entry for each tenant,
   * made anew in each window, would grow with the tenants.
   */
  #countOf(tenant: string, marked: boolean): OfTenant | null {
    const known = this.#byTenant.size === 0 ? undefined : this.#byTenant.get(tenant);
    if (known !== undefined) return known;
    const slot = slotOf(tenant);
    const before = this.#before[slot] ?? 0;
    if (!marked) {
      this.#before[slot] = before + 1;
      return null;
    }
    const count = { tenant, answers: before, marked: 0 };
    this.#byTenant.set(tenant, count);
    return count;
  }
}

/** Two tenants with one number are taken for one until either has a marked answer. */
function slotOf(tenant: string): number {
  const { length } = tenant;
  let mixed = length;
  for (let i = Math.max(0, length - MIXED); i < length; i += 1)
    mixed = Math.imul(mixed, 31) + tenant.charCodeAt(i);
  return mixed & (SLOTS - 1);
}
