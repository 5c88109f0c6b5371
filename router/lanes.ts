// Step 4 of a request: admission. Each cell has one lane for its own tenants and a bounded one for guests.
import type { Role } from './choose-cell.ts';
import type { Cell } from './fleet/fleet.ts';

/** Guests get at most half of a cell, and at least this part of it however busy its own tenants are. */
const GUEST_MOST = 1 / 2;
const GUEST_FLOOR = 1 / 16;

/** A cell under pressure: each look at it takes a quarter of its lane away, down to a sixteenth; then it grows back. */
const SHRINK = 3 / 4;
const SMALLEST = 1 / 16;
const GROW = 1 / 16;

type Lane = {
  full: number;
  /** The part of the lane that is open, 0–1. */
  open: number;
  limit: number;
  tunnelLimit: number;
  home: number;
  guest: number;
  tunnels: number;
};

/**
 * Counts what is inside each cell on behalf of this router. A cell's declared capacity is for all routers together,
 * so each takes an equal part of it. Two integers are compared per request; nothing is queued.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  #cells: ReadonlyMap<string, Cell> = new Map();
  #routers = 1;

  /** Takes over a fleet's capacities. What is inside a cell stays counted, in a removed cell too. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    this.#cells = cells;
    this.#apply();
  }

  /** `live` routers share each cell's capacity; the last known count stands while the store is away. */
  setRouters(live: number): void {
    if (live === this.#routers || live < 1) return;
    this.#routers = live;
    this.#apply();
  }

  #apply(): void {
    for (const [id, { capacity }] of this.#cells) {
      const lane = this.#lanes.get(id) ?? newLane();
      lane.full = Math.max(1, Math.floor(capacity.concurrency / this.#routers));
      lane.limit = limitOf(lane);
      lane.tunnelLimit = Math.max(1, Math.floor(capacity.tunnels / this.#routers));
      this.#lanes.set(id, lane);
    }
    for (const [id, lane] of this.#lanes) {
      if (!this.#cells.has(id) && lane.home + lane.guest + lane.tunnels === 0) this.#lanes.delete(id);
    }
  }

  /**
   * A look at a cell, some twice a second: while it is `pressed` (degraded, or answering 429 and 503) less goes in, and
   * guests keep only their floor. Overload is shed here; moving it to the neighbour would overload that, too.
   */
  adjust(cell: string, pressed: boolean): void {
    const lane = this.#lanes.get(cell);
    if (lane === undefined) return;
    lane.open = pressed ? Math.max(SMALLEST, lane.open * SHRINK) : Math.min(1, lane.open + GROW);
    lane.limit = limitOf(lane);
  }

  /** True: the request may go in, and must `leave` exactly once. False: the lane is full. */
  enter(cell: string, role: Role): boolean {
    const lane = this.#lanes.get(cell);
    if (lane === undefined) return false;
    if (role === 'home') {
      if (lane.home + lane.guest >= lane.limit) return false;
      lane.home += 1;
      return true;
    }
    const floor = Math.max(1, Math.floor(lane.limit * GUEST_FLOOR));
    const free = Math.min(lane.limit - lane.home, Math.floor(lane.limit * GUEST_MOST));
    if (lane.guest >= (lane.open < 1 ? floor : Math.max(floor, free))) return false;
    lane.guest += 1;
    return true;
  }

  leave(cell: string, role: Role): void {
    const lane = this.#lanes.get(cell);
    if (lane !== undefined) lane[role] -= 1;
  }

  /** How many requests are inside a cell now, tunnels apart. */
  insideOf(cell: string): number {
    const lane = this.#lanes.get(cell);
    return lane === undefined ? 0 : lane.home + lane.guest;
  }

  enterTunnel(cell: string): boolean {
    const lane = this.#lanes.get(cell);
    if (lane === undefined || lane.tunnels >= lane.tunnelLimit) return false;
    lane.tunnels += 1;
    return true;
  }

  leaveTunnel(cell: string): void {
    const lane = this.#lanes.get(cell);
    if (lane !== undefined) lane.tunnels -= 1;
  }

  /** What is inside each cell now, for the metrics. */
  *inside(): Generator<{ cell: string; home: number; guest: number; tunnels: number; limit: number }> {
    for (const [cell, { home, guest, tunnels, limit }] of this.#lanes) {
      yield { cell, home, guest, tunnels, limit };
    }
  }
}

function newLane(): Lane {
  return { full: 0, open: 1, limit: 0, tunnelLimit: 0, home: 0, guest: 0, tunnels: 0 };
}

function limitOf({ full, open }: Lane): number {
  return Math.max(1, Math.floor(full * open));
}
