// A short window of a cell's answers to clients: how many were bad, and whether more than one tenant saw it.

/** Traffic tells something only over this many answers at least, within the window. */
const MIN_ANSWERS = 20;
const RATIO = 0.5;
const WINDOW_MS = 2_000;

export class TrafficWindow {
  #sinceMs = Number.NEGATIVE_INFINITY;
  #answers = 0;
  #marked = 0;
  #firstTenant: string | null = null;
  #severalTenants = false;

  /** `marked`: whether this answer is of the kind that is watched for. `nowMs`: any monotonic clock. */
  count(marked: boolean, tenant: string | null, nowMs: number): void {
    if (nowMs - this.#sinceMs > WINDOW_MS) this.#restart(nowMs);
    this.#answers += 1;
    if (!marked) return;
    this.#marked += 1;
    const name = tenant ?? '';
    if (this.#firstTenant === null) this.#firstTenant = name;
    else if (this.#firstTenant !== name) this.#severalTenants = true;
  }

  /**
   * Whether at least half of enough answers were marked, and not all of them one tenant's: what one tenant sends must
   * not decide about a cell.
   */
  get exceeded(): boolean {
    return this.#severalTenants && this.#answers >= MIN_ANSWERS && this.#marked / this.#answers >= RATIO;
  }

  /** The same for a moment in time: a window that is over says nothing any more. */
  exceededAt(nowMs: number): boolean {
    return nowMs - this.#sinceMs <= WINDOW_MS && this.exceeded;
  }

  /** In words, for a vote's reason. */
  get words(): string {
    return `${this.#marked} of ${this.#answers} answers`;
  }

  forget(): void {
    this.#restart(Number.NEGATIVE_INFINITY);
  }

  #restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#answers = 0;
    this.#marked = 0;
    this.#firstTenant = null;
    this.#severalTenants = false;
  }
}
