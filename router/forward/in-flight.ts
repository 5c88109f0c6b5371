// The tenants whose requests are in flight in a cell, and the end of all that one tenant has in flight.
import type { InFlight } from '../health/verdicts/suspects.ts';
import type { Delivery } from './delivery.ts';

/** A request that kills a cell does so soon; one that was in it for longer has let it live. */
const KILLS_WITHIN_MS = 100;

/** A tenant with this request in the cell; null: it has no tenant. */
export function inFlightIn(delivery: Delivery, cell: string): InFlight | null {
  const { exchange, home, brokeIn, sentAtMs } = delivery;
  const { tenant } = exchange;
  if (tenant === null) return null;
  const again = brokeIn !== null && brokeIn !== cell && performance.now() - sentAtMs < KILLS_WITHIN_MS;
  return { home, tenant, again };
}

/**
 * Who is in flight in a cell. Streams are left out: those of many tenants are open all the time, in whichever cell
 * serves them, and would tell nobody apart.
 */
export function tenantsInside(deliveries: Iterable<Delivery>, cell: string): InFlight[] {
  const inside: InFlight[] = [];
  for (const delivery of deliveries) {
    const { attempt } = delivery;
    if (attempt?.written !== true || attempt.served.cell !== cell) continue;
    const one = isStream(delivery) || isAnswered(delivery) ? null : inFlightIn(delivery, cell);
    if (one !== null) inside.push(one);
  }
  return inside;
}

/** Ends what a tenant has in flight or waiting, streams apart. What a cell has answered whole is its client's. */
export function endTenant(deliveries: Iterable<Delivery>, tenant: string, retryAfterS: number): void {
  for (const delivery of Array.from(deliveries)) {
    const { exchange, attempt } = delivery;
    if (exchange.tenant !== tenant || isStream(delivery) || isAnswered(delivery)) continue;
    attempt?.cancel();
    if (exchange.open) exchange.refuse('tenant-quarantined', null, { retryAfterS });
    // Cut, and never ended as if it were whole.
    else exchange.client.cut();
  }
}

export function isStream({ exchange, attempt }: Delivery): boolean {
  return exchange.eventStream || (exchange.kind === 'tunnel' && attempt?.answering === true);
}

function isAnswered({ exchange }: Delivery): boolean {
  return exchange.client.answered;
}
