// What a record says, read as naively as can be: who serves whom, and what it was before a handover.
import { bucketOf } from '../../router/placement/hash.ts';
import type { CellState, HealthRecord, Moved } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import { PLACED } from './verdict-operators.ts';

/** The record as it was before the handover that is under way; one that is open as it is. */
export function asItWas(record: HealthRecord): HealthRecord {
  if (record.phase === 'open') return record;
  const { shareBefore: share, home, neighbour, operation, moved } = record;
  const state: CellState = share === 100 ? 'failed-over' : 'serving';
  const partly = share > 0 && share < 100;
  const from = record.handover?.from ?? {
    state,
    target: share > 0 ? (neighbour ?? home) : home,
    operation: partly ? operation : null,
    moved: isPinChange(record) ? moved : moved.slice(0, moved.length - sizeOfCutOver(record)),
  };
  return { ...record, ...from, share, phase: 'open', changing: null, handover: null };
}

/** Whether a closing record is about a tenant's pin: a cut-over has entered what it moves, last of all. */
export function isPinChange({ changing, moved }: HealthRecord): boolean {
  const [tenant] = changing?.tenants.slice(-1) ?? [];
  const last = moved.at(-1);
  return tenant !== undefined && !(last !== undefined && 'tenant' in last && last.tenant === tenant);
}

function sizeOfCutOver({ changing }: HealthRecord): number {
  return changing === null ? 0 : changing.buckets.length + changing.tenants.length;
}

/** Whether a share of the home's tenants is at `cell`, comes to be there, or comes back when a handover is undone. */
export function leansOn(record: HealthRecord, cell: string): boolean {
  const before = record.phase === 'closing' ? record.shareBefore : 0;
  return record.neighbour === cell && Math.max(record.share, before) > 0;
}

/** Whether anybody is away, by a share or by a pin, or can be when the handover under way has ended. */
export function anyAway(record: HealthRecord): boolean {
  return [record, asItWas(record)].some(
    ({ home, share, pins }) => share > 0 || Object.values(pins).some(({ cell }) => cell !== home),
  );
}

/** Serving all of its own tenants, with nothing under way. */
export function isQuiet(record: HealthRecord): boolean {
  return record.state === 'serving' && record.phase === 'open' && !anyAway(record);
}

/**
 * Who serves the tenant: a cell, `home <name>` where it was cut over, or null while it is handed over. A tenant that has a
 * place of its own does not go where its bucket goes.
 */
export function serverOf(record: HealthRecord, tenant: string): string | null {
  const { changing, moved } = record;
  if (changing?.tenants.includes(tenant) === true || changing?.buckets.some(holding(tenant)) === true) {
    return null;
  }
  // Nothing here knows what the file gives to whom: what was entered last is what was meant last.
  const cutOver = moved.findLast((one) => movesBy(one, tenant));
  return cutOver === undefined ? servedBy(record, tenant) : `home ${cutOver.to}`;
}

/** Whether the cut-over that is under way takes the tenant to another home. */
export function takes({ changing, handover }: HealthRecord, tenant: string): boolean {
  if (changing === null || handover?.to == null) return false;
  return PLACED.includes(tenant) ? changing.tenants.includes(tenant) : changing.buckets.some(holding(tenant));
}

function movesBy(entry: Moved, tenant: string): boolean {
  if ('tenant' in entry) return PLACED.includes(tenant) && entry.tenant === tenant;
  return !PLACED.includes(tenant) && holding(tenant)(entry.buckets);
}

function holding(tenant: string): (range: readonly [number, number]) => boolean {
  const bucket = bucketOf(tenant);
  return ([from, to]) => from <= bucket && bucket <= to;
}
