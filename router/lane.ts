// One lane into a cell: who is inside it, and how much of it one tenant may have when it is not alone.
import { LIMITS } from './limits.ts';

/** Others wait: for so long after the refusal of a tenant within its share. It is told to come back after that time. */
const WAITING_MS = 1_000;
/** Others are around: for so long after their last request. Their next one is to find room, rare as they may be. */
const AROUND_MS = 60_000;

/** `share`: there is room, but not for more of this tenant. */
export type Admission = 'in' | 'full' | 'share';

/**
 * A lane refuses at once and queues nobody, so that "while others wait" can only mean: others were refused a moment ago.
 * From then on nobody gets in beyond its share. So that this seldom begins, a tenant beyond its share leaves another
 * share free while others are around; one that is alone may have the whole lane. Only tenants that are inside are kept.
 */
export class Lane {
  readonly #inside = new Map<string, number>();
  #count = 0;
  #latest: string | null = null;
  #latestMs = Number.NEGATIVE_INFINITY;
  /** When a tenant other than the latest last came. */
  #othersMs = Number.NEGATIVE_INFINITY;
  #waitedMs = Number.NEGATIVE_INFINITY;

  /** How many are inside, of all tenants. */
  get count(): number {
    return this.#count;
  }

  /** How many tenants are inside. */
  get tenants(): number {
    return this.#inside.size;
  }

  /**
   * `room`: how many this lane may hold now; `free`: how many places are left, which is less where another lane has taken
   * some of them. `nowMs`: of a steady clock.
   */
  enter(tenant: string, room: number, free: number, nowMs: number): Admission {
    const held = this.#inside.get(tenant) ?? 0;
    const share = Math.floor(room * LIMITS.tenantShare);
    const within = held < Math.max(1, share);
    this.#came(tenant, nowMs);
    if (free <= 0) {
      if (within) this.#waitedMs = nowMs;
      return 'full';
    }
    if (!within && this.#isMissed(room - this.#count <= share, nowMs)) return 'share';
    this.#inside.set(tenant, held + 1);
    this.#count += 1;
    return 'in';
  }

  leave(tenant: string): void {
    const held = this.#inside.get(tenant) ?? 0;
    if (held > 1) this.#inside.set(tenant, held - 1);
    else this.#inside.delete(tenant);
    this.#count -= 1;
  }

  /** Whether others need the place that the latest tenant would take beyond its share. `scarce`: few are left. */
  #isMissed(scarce: boolean, nowMs: number): boolean {
    if (nowMs - this.#waitedMs < WAITING_MS) return true;
    return scarce && nowMs - this.#othersMs < AROUND_MS;
  }

  #came(tenant: string, nowMs: number): void {
    if (tenant !== this.#latest) {
      this.#othersMs = this.#latestMs;
      this.#latest = tenant;
    }
    this.#latestMs = nowMs;
  }
}
