// Step 4 of a request: admission. Is there room in that cell for this request, of this role and this tenant?
import { CellLanes, type Refused } from './cell-lanes.ts';
import type { Role } from './choose-cell.ts';
import type { Cell } from './fleet/fleet.ts';

/** Requests of routes without a tenant count as one tenant's together. No tenant ID is empty. */
const NO_TENANT = '';

/**
 * Counts what is inside each cell on behalf of this router. A cell's declared capacity is for all routers together,
 * so each takes an equal part of it. Nothing is queued: what has no room is refused at once.
 */
export class Lanes {
  readonly #lanes = new Map<string, CellLanes>();
  readonly #now: () => number;
  #cells: ReadonlyMap<string, Cell> = new Map();
  #routers = 1;

  /** `now`: milliseconds of a steady clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

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
      const lanes = this.#lanes.get(id) ?? new CellLanes();
      lanes.resize(capacity, this.#routers);
      this.#lanes.set(id, lanes);
    }
    for (const [id, { empty }] of this.#lanes) {
      if (!this.#cells.has(id) && empty) this.#lanes.delete(id);
    }
  }

  /**
   * A look at a cell, some twice a second: while it is `pressed` (degraded, or answering 429 and 503) less goes in, and
   * guests keep only their floor. Overload is shed here; moving it to the neighbour would overload that, too.
   */
  adjust(cell: string, pressed: boolean): void {
    this.#lanes.get(cell)?.adjust(pressed);
  }

  /** True: the request may go in, and must `leave` exactly once. False: there is no room for it. */
  enter(cell: string, role: Role, tenant: string | null): boolean {
    return this.#lanes.get(cell)?.enter(role, tenant ?? NO_TENANT, this.#now()) ?? false;
  }

  /** Whether there is a place for a request of this role, of some tenant at least. */
  hasRoom(cell: string, role: Role): boolean {
    return this.#lanes.get(cell)?.hasRoom(role) ?? false;
  }

  leave(cell: string, role: Role, tenant: string | null): void {
    this.#lanes.get(cell)?.[role].leave(tenant ?? NO_TENANT);
  }

  /** How many requests are inside a cell now, tunnels apart. */
  insideOf(cell: string): number {
    return this.#lanes.get(cell)?.count ?? 0;
  }

  enterTunnel(cell: string, role: Role, tenant: string | null): boolean {
    return this.#lanes.get(cell)?.enterTunnel(role, tenant ?? NO_TENANT, this.#now()) ?? false;
  }

  leaveTunnel(cell: string, role: Role, tenant: string | null): void {
    this.#lanes.get(cell)?.tunnels[role].leave(tenant ?? NO_TENANT);
  }

  /** What is inside each cell now, for the metrics. */
  *inside(): Generator<{ cell: string; home: number; guest: number; tunnels: number; limit: number }> {
    for (const [cell, { home, guest, tunnelCount: tunnels, limit }] of this.#lanes) {
      yield { cell, home: home.count, guest: guest.count, tunnels, limit };
    }
  }

  /** How many requests were not let into each cell since the start, for the metrics. */
  *refused(): Generator<{ cell: string; role: Role; why: Refused; count: number }> {
    for (const [cell, { refused }] of this.#lanes) {
      for (const role of ['home', 'guest'] as const) {
        for (const why of ['full', 'share'] as const) yield { cell, role, why, count: refused[role][why] };
      }
    }
  }
}
