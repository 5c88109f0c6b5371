// Whether a cell can stand in for a home, or has another one's tenants already. Pure; `scripts/stand-in.lua` decides the same.
import { recordIn, type DecideInput } from './decision.ts';
import { anyAway, leansOn } from './handover.ts';
import type { HealthRecord, HomeRule } from '../record.ts';
import { hasSynced, tally } from './tally.ts';

/**
 * Whether the neighbour is up, and neither drained nor itself served by this home, nor taken. Its own tenants may be away
 * at its own neighbour: they stay there, and that is no chain.
 */
export function canStandIn(
  { home, neighbour }: HealthRecord,
  records: ReadonlyMap<string, HealthRecord>,
  { live, homes }: Pick<DecideInput, 'live' | 'homes'>,
): boolean {
  if (neighbour === null || neighbour === home || tally(live, neighbour).verdict !== 'up') return false;
  const standIn = recordIn(records, neighbour);
  if (standIn.state === 'drained' || leansOn(standIn, home)) return false;
  // A home that never changed has the file's neighbour, and the file may be newer than where others are away.
  return records.has(home) || !isTaken(neighbour, records, homes);
}

/** Whether the cell lacks the copy of the home's data that the fleet requires of a cell that is to serve its tenants. */
export function lacksStandby(
  cell: string,
  home: string,
  live: DecideInput['live'],
  { requiresStandby }: Pick<DecideInput, 'requiresStandby'>,
): boolean {
  return requiresStandby && cell !== home && !hasSynced(live, cell, home);
}

/**
 * Whether a home that had this neighbour before still has tenants there: a cell is sized for its own and for those of one
 * other. Cells that the file gives to several homes are meant for all of them.
 */
export function isTaken(
  neighbour: string,
  records: ReadonlyMap<string, HealthRecord>,
  homes: readonly HomeRule[],
): boolean {
  if (homes.filter((rule) => rule.neighbour === neighbour).length > 1) return false;
  for (const record of records.values()) {
    if (record.neighbour === neighbour && anyAway(record)) return true;
  }
  return false;
}
