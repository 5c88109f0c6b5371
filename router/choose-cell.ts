// Step 3 of a request: placement and verdicts → the cell that serves it now, or a refusal. Pure.
import type { RefusalCode } from './errors.ts';
import type { HealthRecord } from './health/record.ts';

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

export type Choice =
  | { cell: string; role: Role; home: string; epoch: number; reason: string }
  | { refusal: Extract<RefusalCode, 'cell-unavailable'>; home: string; epoch: number; reason: string };

/**
 * Who serves the tenants of `home`: `home` itself, or on a verdict its one neighbour. Never a third cell: a record
 * that names one is not followed. Home and neighbour both down is a refusal; failover does not chain. `reading`: the
 * request changes nothing, so that a router without its store may act on its own evidence.
 */
export function chooseCell(home: string, knowledge: Knowledge, reading: boolean): Choice {
  const record = knowledge.recordOf(home);
  const { epoch } = record;
  const cell = record.target;
  const refuse = (reason: string): Choice => ({ refusal: 'cell-unavailable', home, epoch, reason });

  if (cell !== home && cell !== record.neighbour) return refuse(`the record of ${home} names a third cell`);
  if (!knowledge.hasCell(cell)) return refuse(`${cell} is not in this router's fleet`);
  if (knowledge.isUnreachable(cell)) {
    const standIn = reading && cell === home ? knowledge.ownStandIn(home) : null;
    if (standIn !== null) {
      return {
        cell: standIn,
        role: 'guest',
        home,
        epoch,
        reason: `no store, ${home} is unreachable: reads only`,
      };
    }
    return refuse(
      cell === home
        ? `${home} is unreachable`
        : `${home} is ${record.state}, and its neighbour ${cell} is unreachable`,
    );
  }
  if (cell === home) return { cell, role: 'home', home, epoch, reason: 'home is serving' };
  return {
    cell,
    role: 'guest',
    home,
    epoch,
    reason: `home ${record.state}: ${record.cause ?? 'unknown cause'}`,
  };
}
