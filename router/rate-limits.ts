// Between steps 1 and 2 of a request: has its tenant sent more than its rate allows?
import type { Rate, Rates } from './fleet/fleet.ts';
import { LIMITS } from './limits.ts';

/** Sums of milliseconds are not exact; a thousandth of a microsecond decides nothing. */
const ROUNDING_MS = 1e-6;

/** What one tenant may send through this router: a request each `intervalMs`, or `burstMs` worth of them at once. */
type Limit = { intervalMs: number; burstMs: number };

/**
 * One bucket a tenant, by the generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling): all that is kept
 * is the moment at which the bucket is full again. From then on it says nothing, and is forgotten. Routers do not ask
 * each other: each allows its equal part of a rate.
 */
export class RateLimits {
  readonly #now: () => number;
  readonly #tenantsMax: number;
  #rates: Rates = { others: null, tenants: new Map() };
  #routers = 1;
  #others: Limit | null = null;
  #own: ReadonlyMap<string, Limit> = new Map();
  /** The longest that any bucket takes from empty to full. */
  #fillMs = 0;
  /** Tenant → when its bucket is full. Who comes is moved to `young`; a turn makes those the old, and forgets the old. */
  #young = new Map<string, number>();
  #old: ReadonlyMap<string, number> = new Map();
  #turnedMs = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds of a steady clock. */
  constructor(now: () => number = () => performance.now(), tenantsMax: number = LIMITS.ratedTenants) {
    this.#now = now;
    this.#tenantsMax = tenantsMax;
  }

  /** Takes over a fleet's rates. Buckets stay as they are. */
  setFleet(rates: Rates): void {
    this.#rates = rates;
    this.#apply();
  }

  /** `live` routers share each rate; the last known count stands while the store is away. */
  setRouters(live: number): void {
    if (live === this.#routers || live < 1) return;
    this.#routers = live;
    this.#apply();
  }

  /** How many tenants are remembered now. */
  get remembered(): number {
    return this.#young.size + this.#old.size;
  }

  /** 0: the request may pass, and is counted. Else: after so many whole seconds the next one may. */
  take(tenant: string): number {
    if (this.#others === null && this.#own.size === 0) return 0;
    const limit = this.#own.get(tenant) ?? this.#others;
    if (limit === null) return 0;
    const nowMs = this.#now();
    if (this.#young.size >= this.#tenantsMax || nowMs - this.#turnedMs >= this.#fillMs) this.#turn(nowMs);
    // A bucket from before a change of the rate is at worst empty by the new one.
    const known = this.#young.get(tenant) ?? this.#old.get(tenant) ?? nowMs;
    const fullMs = Math.min(Math.max(known, nowMs), nowMs + limit.burstMs);
    const nextMs = fullMs + limit.intervalMs;
    const waitMs = nextMs - limit.burstMs - nowMs;
    const passes = waitMs <= ROUNDING_MS;
    this.#young.set(tenant, passes ? nextMs : fullMs);
    return passes ? 0 : Math.ceil(waitMs / 1_000);
  }

  /**
   * Buckets that nobody has taken from since the turn before are full by now, unless it comes early, because too many
   * tenants came: then those that came least lately are taken for full.
   */
  #turn(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedMs = nowMs;
  }

  #apply(): void {
    const { others, tenants } = this.#rates;
    this.#others = others === null ? null : this.#limitOf(others);
    this.#own = new Map(Array.from(tenants, ([tenant, rate]) => [tenant, this.#limitOf(rate)]));
    const limits = this.#others === null ? [...this.#own.values()] : [this.#others, ...this.#own.values()];
    this.#fillMs = limits.reduce((longest, { burstMs }) => Math.max(longest, burstMs), 0);
  }

  /** This router's part of a rate: as many milliseconds' worth at once as all have, and one request at least. */
  #limitOf({ rps, burst }: Rate): Limit {
    const intervalMs = (1_000 * this.#routers) / rps;
    return { intervalMs, burstMs: Math.max(intervalMs, (burst * 1_000) / rps) };
  }
}
