// Step 3 of a request: placement and verdicts → the cell that serves it now, or a refusal. Pure.
import type { RefusalCode } from './errors.ts';
import type { HealthRecord } from './health/record.ts';
import { hasPins, servedBy, slotOf } from './health/verdicts/served-by.ts';

export type Role = 'home' | 'guest';

/** What the choice needs to know of health: answered from memory, never by asking anyone. */
export type Knowledge = {
  recordOf(home: string): HealthRecord;
  /** Whether this router itself finds the cell unreachable right now. */
  isUnreachable(cell: string): boolean;
  hasCell(cell: string): boolean;
  /**
   * Without its store, and where the settings allow it: the neighbour that this router may send reads of `home`'s
   * tenants to on its own evidence. Null: there is none.
   */
  ownStandIn(home: string): string | null;
};

/** `slot`: the tenant's in the operation that is on; null: none is. */
export type Choice =
  | { cell: string; role: Role; home: string; epoch: number; slot: number | null; reason: string }
  | {
      refusal: Extract<RefusalCode, 'cell-unavailable' | 'placement-moving'>;
      home: string;
      epoch: number;
      reason: string;
    };

/**
 * Who serves this tenant of `home` ('' for requests without one): `home` itself, or its one neighbour, as the record
 * says. Never a third cell: a record that names one is not followed. While the tenant is handed over nobody does
 * (`placement-moving`). Home and neighbour both down is a refusal; failover does not chain. `reading`: the request
 * changes nothing, so that a router without its store may act on its own evidence.
 */
export function chooseCell(home: string, tenant: string, knowledge: Knowledge, reading: boolean): Choice {
  const record = knowledge.recordOf(home);
  const { epoch, operation } = record;
  const cell = servedBy(record, tenant);
  const refuse = (reason: string): Choice => ({ refusal: 'cell-unavailable', home, epoch, reason });

  if (cell === null) {
    return { refusal: 'placement-moving', home, epoch, reason: `a tenant of ${home} is being handed over` };
  }
  if (cell !== home && cell !== record.neighbour) return refuse(`the record of ${home} names a third cell`);
  if (!knowledge.hasCell(cell)) return refuse(`${cell} is not in this router's fleet`);
  const slot = operation === null ? null : slotOf(tenant, operation);
  if (knowledge.isUnreachable(cell)) {
    const standIn = reading && cell === home ? knowledge.ownStandIn(home) : null;
    if (standIn !== null) {
      const reason = `no store, ${home} is unreachable: reads only`;
      return { cell: standIn, role: 'guest', home, epoch, slot, reason };
    }
    return refuse(
      cell === home
        ? `${home} is unreachable`
        : `${home} is ${record.state}, and its neighbour ${cell} is unreachable`,
    );
  }
  const reason = reasonOf(record, tenant, cell);
  return { cell, role: cell === home ? 'home' : 'guest', home, epoch, slot, reason };
}

function reasonOf(record: HealthRecord, tenant: string, cell: string): string {
  const { home, state, cause, share, pins } = record;
  if (share < 100 && hasPins(pins) && Object.hasOwn(pins, tenant)) return `pinned to ${cell}`;
  if (cell === home)
    return share === 0 ? 'home is serving' : `home is serving ${100 - share} % of its tenants`;
  const away = share === 100 ? '' : `, ${share} % are away`;
  return `home ${state}: ${cause ?? 'unknown cause'}${away}`;
}
