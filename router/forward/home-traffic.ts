// The requests of one home's tenants, whichever cell serves them: those under way, and how many came in all.
import { Bag } from '../bag.ts';
import type { HomeCount } from '../health/load.ts';
import type { Delivery } from './delivery.ts';

export class HomeTraffic {
  readonly home: string;
  readonly underWay = new Bag<Delivery>();
  /** Grows by one with each request, refused or not: what was asked of the cell is its load. */
  requests = 0;

  constructor(home: string) {
    this.home = home;
  }

  /** Looked at once a second, so that a request pays for no more than the count of itself. What waits is inside no cell. */
  count(): HomeCount {
    let concurrency = 0;
    let tunnels = 0;
    for (const { attempt, exchange } of this.underWay) {
      if (attempt === null) continue;
      if (exchange.kind === 'tunnel' || exchange.eventStream) tunnels += 1;
      else concurrency += 1;
    }
    return { home: this.home, requests: this.requests, concurrency, tunnels };
  }
}
