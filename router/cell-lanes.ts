// The lanes into one cell: one for its own tenants and a bounded one for guests, and two such for what has no end of its own.
import type { Role } from './choose-cell.ts';
import type { Cell } from './fleet/fleet.ts';
import { Lane, type Admission } from './lane.ts';
import { LIMITS } from './limits.ts';

/** They leave this part free for what the cell's own tenants may have inside beyond their peak. */
const MARGIN = 1 / 16;

/** A cell under pressure: each look at it takes a quarter of its room away, down to a sixteenth; then it grows back. */
const SHRINK = 3 / 4;
const SMALLEST = 1 / 16;
const GROW = 1 / 16;

/** With each look the peak of the cell's own tenants sinks by this part of its way down to what is inside now. */
const SINK = 1 / 8;

/** Why a request was not let in. */
export type Refused = Exclude<Admission, 'in'>;

export class CellLanes {
  readonly home = new Lane();
  readonly guest = new Lane();
  readonly tunnels = { home: new Lane(), guest: new Lane() };
  /** Requests that were not let in since the start. */
  readonly refused = { home: { full: 0, share: 0 }, guest: { full: 0, share: 0 } };
  #full = 1;
  #tunnelLimit = 1;
  /** The part of the room that is open, 0–1. */
  #open = 1;
  /** The most requests of the cell's own tenants that were inside lately, or would have been. */
  #peak = 0;

  /** `routers` share the cell's capacity. */
  resize({ concurrency, tunnels }: Cell['capacity'], routers: number): void {
    this.#full = Math.max(1, Math.floor(concurrency / routers));
    this.#tunnelLimit = Math.max(1, Math.floor(tunnels / routers));
  }

  /** How many requests there is room for now, guests and the cell's own tenants together. */
  get limit(): number {
    return Math.max(1, Math.floor(this.#full * this.#open));
  }

  /** How many requests are inside, tunnels apart. */
  get count(): number {
    return this.home.count + this.guest.count;
  }

  get empty(): boolean {
    return this.count + this.tunnelCount === 0;
  }

  get tunnelCount(): number {
    return this.tunnels.home.count + this.tunnels.guest.count;
  }

  adjust(pressed: boolean): void {
    this.#open = pressed ? Math.max(SMALLEST, this.#open * SHRINK) : Math.min(1, this.#open + GROW);
    this.#peak -= Math.ceil((this.#peak - this.home.count) * SINK);
  }

  /** Whether there is a place for a request, of some tenant at least. */
  hasRoom(role: Role): boolean {
    return this.#free(role, this.#room(role)) > 0;
  }

  enter(role: Role, tenant: string, nowMs: number): boolean {
    const room = this.#room(role);
    const admission = this[role].enter(tenant, room, this.#free(role, room), nowMs);
    if (role === 'home' && admission !== 'share') {
      this.#peak = Math.max(this.#peak, this.home.count + (admission === 'in' ? 0 : 1));
    }
    if (admission === 'in') return true;
    this.refused[role][admission] += 1;
    return false;
  }

  /** Tunnels stay for hours: guests get half of the places at most, so that the cell's own tenants always find some. */
  enterTunnel(role: Role, tenant: string, nowMs: number): boolean {
    const lane = this.tunnels[role];
    const limit = this.#tunnelLimit;
    const room = role === 'home' ? limit : Math.max(1, Math.floor(limit * LIMITS.guestMost));
    const free = Math.min(room - lane.count, limit - this.tunnelCount);
    return lane.enter(tenant, room, free, nowMs) === 'in';
  }

  #room(role: Role): number {
    const { limit } = this;
    return role === 'home' ? limit : this.#guestRoom(limit);
  }

  #free(role: Role, room: number): number {
    return room - (role === 'home' ? this.count : this.guest.count);
  }

  /**
   * What the cell's own tenants leave free, at least a floor and at most half. Their peak counts, not the moment: a
   * place that a guest takes in a lull would be missing when the lull is over.
   */
  #guestRoom(limit: number): number {
    const floor = Math.max(1, Math.floor(limit * LIMITS.guestLeast));
    if (this.#open < 1) return floor;
    const left = limit - this.#peak - Math.floor(limit * MARGIN);
    return Math.max(floor, Math.min(left, Math.floor(limit * LIMITS.guestMost)));
  }
}
