// Which cell a record gives a tenant: by its share, its pins, and the handover that may be under way. Pure.
import { bucketOf, xxh32 } from '../../placement/hash.ts';
import type { HealthRecord } from '../record.ts';
import { isWithin } from './moved.ts';

/** An operation deals the tenants of a home into so many slots: a hundredth of a percent each. */
export const SLOTS = 10_000;

/** What of a record, or of a rule that a cell was brought, decides. */
export type Ruling = Pick<
  HealthRecord,
  | 'home'
  | 'neighbour'
  | 'phase'
  | 'target'
  | 'share'
  | 'shareBefore'
  | 'operation'
  | 'pins'
  | 'changing'
  | 'moved'
>;

/** The slot of a tenant in an operation: 0–9,999. The seed is the operation's lower 32 bits. */
export function slotOf(tenant: string, operation: number): number {
  return xxh32(tenant, operation >>> 0) % SLOTS;
}

/**
 * The cell that serves the tenant by this record; null: it is being handed over, and has none until the handover ends.
 * What was moved to another home is not looked at: whoever asks has found the home already (`find-home.ts`). Requests
 * without a tenant count as those of the tenant ''.
 */
export function servedBy(record: Ruling, tenant: string): string | null {
  // Nearly always: nobody is away, or everybody, and nothing changes.
  if (record.phase === 'open' && record.operation === null && !hasPins(record.pins)) return record.target;
  const slot = record.operation === null ? 0 : slotOf(tenant, record.operation);
  const now = cellAt(record, record.share, slot, tenant);
  if (record.phase === 'open') return now;
  if (isChanging(record, tenant)) return null;
  return cellAt(record, record.shareBefore, slot, tenant) === now ? now : null;
}

/** A share of 100 leaves nobody at home, whatever the pins say: the home may be dead, or is to be empty. */
function cellAt({ home, neighbour, pins }: Ruling, share: number, slot: number, tenant: string): string {
  const away = neighbour ?? home;
  if (share >= 100) return away;
  const pin = Object.hasOwn(pins, tenant) ? pins[tenant] : undefined;
  if (pin !== undefined) return pin.cell === home ? home : away;
  return slot < share * 100 ? away : home;
}

/** Whether the tenant changes cell beside the share: its pin, or its bucket's home. */
function isChanging({ changing }: Ruling, tenant: string): boolean {
  if (changing === null) return false;
  if (changing.tenants.includes(tenant)) return true;
  if (changing.buckets.length === 0) return false;
  const bucket = bucketOf(tenant);
  return changing.buckets.some((range) => isWithin(bucket, range));
}

/** The cells of the pair that lose tenants by a handover, and those that gain some; a new home is not among them. */
export function losersAndGainers(record: HealthRecord): { losers: string[]; gainers: string[] } {
  const { home, neighbour, share, shareBefore, changing, handover } = record;
  const away = neighbour ?? home;
  if (share !== shareBefore) {
    return share > shareBefore ? { losers: [home], gainers: [away] } : { losers: [away], gainers: [home] };
  }
  // What is cut over was at home: nobody is away meanwhile.
  if (handover !== null && handover.to !== null) return { losers: [home], gainers: [] };
  if (changing === null || handover === null) return { losers: [home, away], gainers: [] };
  const [tenant = ''] = changing.tenants;
  const before = cellAt({ ...record, pins: handover.from.pins }, share, slotIn(record, tenant), tenant);
  const now = cellAt(record, share, slotIn(record, tenant), tenant);
  return { losers: [before], gainers: [now] };
}

function slotIn({ operation }: HealthRecord, tenant: string): number {
  return operation === null ? 0 : slotOf(tenant, operation);
}

export function hasPins(pins: HealthRecord['pins']): boolean {
  for (const _ in pins) return true;
  return false;
}
