// Whose a tenant is by a rule: the four lines of "Whose a tenant is" in docs/cell-contract.md. Pure.
import xxhash from 'xxhash-wasm';
import type { Rule } from './rule.ts';

/** What of a rule decides. */
export type Ruling = Pick<
  Rule,
  | 'home'
  | 'neighbour'
  | 'phase'
  | 'target'
  | 'epoch'
  | 'share'
  | 'shareBefore'
  | 'operation'
  | 'pins'
  | 'changing'
  | 'moved'
>;

const SLOTS = 10_000;
const hasher = await xxhash();

/** The slot of a tenant in an operation, 0–9,999: over the UTF-8 bytes of its name, seeded with the operation's lower 32 bits. */
export function slotOf(tenant: string, operation: number): number {
  return hasher.h32(tenant, operation >>> 0) % SLOTS;
}

/** The bucket of a tenant, 0–65,535. */
function bucketOf(tenant: string): number {
  return hasher.h32(tenant, 0) & 0xffff;
}

/** The cell that serves the tenant by this rule; null: it is being handed over. */
export function servedBy(rule: Ruling, tenant: string): string | null {
  const { phase, operation, pins, share, shareBefore } = rule;
  if (phase === 'open' && operation === null && !hasAny(pins)) return rule.target;
  const slot = operation === null ? 0 : slotOf(tenant, operation);
  const now = cellAt(rule, share, slot, tenant);
  if (phase === 'open') return now;
  if (isChanging(rule, tenant)) return null;
  return cellAt(rule, shareBefore, slot, tenant) === now ? now : null;
}

/**
 * Whether `cell` is to serve a request of the tenant by this rule. `epoch`: the one that the request came with. One that
 * was sent by an older rule is refused, too, where this rule says that the tenant has another home.
 */
export function isServedAt(cell: string, rule: Ruling, tenant: string, epoch: number): boolean {
  if (servedBy(rule, tenant) !== cell) return false;
  return epoch >= rule.epoch || !hasMoved(rule, tenant);
}

/** Whether the cell may lose tenants by this closing rule. A change of pins does not say which of the two cells does. */
export function mayLose(cell: string, { home, neighbour, share, shareBefore }: Ruling): boolean {
  if (share === shareBefore) return true;
  return cell === (share > shareBefore ? home : (neighbour ?? home));
}

/** Whether any tenant may be at `cell` by this rule. */
export function mayServeAny(cell: string, { home, neighbour, share, shareBefore, pins }: Ruling): boolean {
  if (hasAny(pins)) return cell === home || cell === neighbour;
  if (cell === home) return neighbour === null || Math.min(share, shareBefore) < 100;
  return cell === neighbour && Math.max(share, shareBefore) > 0;
}

/** A share of 100 leaves nobody at home, whatever the pins say. */
function cellAt({ home, neighbour, pins }: Ruling, share: number, slot: number, tenant: string): string {
  const away = neighbour ?? home;
  if (share >= 100) return away;
  const pin = Object.hasOwn(pins, tenant) ? pins[tenant] : undefined;
  if (pin !== undefined) return pin.cell === home ? home : away;
  return slot < share * 100 ? away : home;
}

function isChanging({ changing }: Ruling, tenant: string): boolean {
  if (changing === null) return false;
  return changing.tenants.includes(tenant) || isInAny(changing.buckets, tenant);
}

function hasMoved({ moved }: Ruling, tenant: string): boolean {
  return moved.some((entry) =>
    'tenant' in entry ? entry.tenant === tenant : isInAny([entry.buckets], tenant),
  );
}

function isInAny(ranges: readonly (readonly [number, number])[], tenant: string): boolean {
  if (ranges.length === 0) return false;
  const bucket = bucketOf(tenant);
  return ranges.some(([from, to]) => bucket >= from && bucket <= to);
}

function hasAny(pins: Ruling['pins']): boolean {
  for (const _ in pins) return true;
  return false;
}
