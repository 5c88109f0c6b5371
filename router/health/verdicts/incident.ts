// Which refusals belong to which event of the audit log.
import type { EventEntry } from '../record.ts';

/**
 * The epochs of the event's cell at which its tenants' refusals belong to the event. A failover has those of the epoch
 * that it ended (nobody served) and of its own (the neighbour was overloaded, or down as well); a home that is held back
 * has those of the epoch that goes on. A way home, from its first step on, ends an incident and has none, and a tenant
 * that is quarantined is refused on purpose.
 */
export function incidentEpochs({
  from,
  to,
  epoch,
  details,
}: Pick<EventEntry, 'from' | 'to' | 'epoch' | 'details'>): number[] {
  if (details?.['quarantine'] !== undefined) return [];
  if (from === to) return [epoch];
  return to === 'serving' || to === 'returning' ? [] : [epoch - 1, epoch];
}
