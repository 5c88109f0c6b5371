// The steps of a handover, each from one record to the next: closing, then open or undone. Pure; `scripts/handover.lua` takes the same ones.
import { movedSoFar } from './moved.ts';
import type { Cause, CellState, Changing, Handover, HealthRecord, Moved } from './record.ts';

/** What a closing record changes beside its phase; what is absent stays. */
export type Aim = Partial<Pick<HealthRecord, 'state' | 'share' | 'deadline' | 'cause' | 'pins' | 'moved'>>;

/** What of a closing record is for its end. */
export type Terms = Pick<Handover, 'until' | 'actor' | 'reason' | 'to'>;

const NOTHING: Changing = { tenants: [], buckets: [] };

/** The record in closing: it says already what it changes to, and `handover.from` what it changes from. */
export function closing(
  record: HealthRecord,
  aim: Aim,
  changing: Changing | null,
  terms: Terms,
  now: number,
): HealthRecord {
  const { state, target, operation, deadline, cause, pins, moved, home, epoch } = record;
  const share = aim.share ?? record.share;
  const begins = share !== record.share && operation === null;
  return {
    ...record,
    ...aim,
    phase: 'closing',
    target: share > 0 ? (record.neighbour ?? home) : home,
    epoch: epoch + 1,
    shareBefore: record.share,
    operation: begins ? epoch + 1 : operation,
    since: now,
    changing,
    handover: { ...terms, from: { state, target, operation, deadline, cause, pins, moved } },
  };
}

/** The end that was meant. */
export function opened(record: HealthRecord, now: number): HealthRecord {
  const { share, operation, epoch } = record;
  return {
    ...record,
    phase: 'open',
    epoch: epoch + 1,
    operation: share === 0 || share === 100 ? null : operation,
    since: now,
    moved: movedAfter(record),
    changing: null,
    undone: 0,
    handover: null,
  };
}

/**
 * What has moved once the handover is open: what it has entered, and of what was entered before for the same cell only what
 * is left. While it is closing both are there, so that a cell shows, too, what was before.
 */
function movedAfter({ moved, changing, handover }: HealthRecord): Moved[] {
  if (changing === null || handover === null || handover.to === null) return moved;
  const { length } = handover.from.moved;
  return [...without(moved.slice(0, length), changing, handover.to), ...moved.slice(length)];
}

/** The other end: every tenant has the cell again that it had. */
export function undone(record: HealthRecord, now: number): HealthRecord {
  return {
    ...putBack(record),
    epoch: record.epoch + 1,
    shareBefore: record.share,
    since: now,
    undone: record.undone + 1,
  };
}

/**
 * The record as it was before its handover, at the same epoch; one that is open as it is. A closing record that only a
 * cell has told of does not say what it was: its share does, and the order of what has moved. Pins stay as they are to be.
 */
export function putBack(record: HealthRecord): HealthRecord {
  if (record.phase === 'open') return record;
  const { home, neighbour, shareBefore: share, handover } = record;
  const guessed = {
    state: share === 100 ? ('failed-over' as const) : ('serving' as const),
    target: share > 0 ? (neighbour ?? home) : home,
    operation: share === 0 || share === 100 ? null : record.operation,
    moved: [...movedSoFar(record)],
  };
  return { ...record, ...(handover?.from ?? guessed), share, phase: 'open', changing: null, handover: null };
}

/** Who has the home's tenants, whatever is under way: a handover may still be undone. */
export function standing(record: HealthRecord): { state: CellState; cause: Cause | null } {
  const { state, cause } = putBack(record);
  return { state, cause };
}

/** Whether `cell` serves tenants of this home, or will, or will again if a handover is undone. */
export function leansOn(record: HealthRecord, cell: string): boolean {
  return record.target === cell || putBack(record).target === cell;
}

/** Whether tenants of this home are, or may come to be, at its neighbour. */
export function anyAway(record: HealthRecord): boolean {
  const before = putBack(record);
  return [record, before].some(({ share, pins }) => share > 0 || hasAwayPin(record.home, pins));
}

function hasAwayPin(home: string, pins: HealthRecord['pins']): boolean {
  return Object.values(pins).some(({ cell }) => cell !== home);
}

/**
 * The cause of a record after one of its pins changed: while all are away, or on their way home, it says still why, which
 * the budget and the way home go by.
 */
export function causeWithPin({ state, cause }: HealthRecord, ofPin: Cause): Cause | null {
  return state === 'serving' ? ofPin : cause;
}

/**
 * What is left of these entries where something came back, or is entered anew: ranges lose the buckets, and tenants go.
 * `to`: only ranges that went there do. A range is about the buckets that the file gives to its cell, so that those to
 * others may overlap it, and a cell that leaves has one such range for each of its heirs.
 */
export function without(
  moved: readonly Moved[],
  { tenants, buckets }: Changing = NOTHING,
  to: string | null = null,
): Moved[] {
  return moved.flatMap((entry): Moved[] => {
    if ('tenant' in entry) return tenants.includes(entry.tenant) ? [] : [entry];
    if (to !== null && entry.to !== to) return [entry];
    let ranges = [entry.buckets];
    for (const taken of buckets) ranges = ranges.flatMap((range) => lessThan(range, taken));
    return ranges.map((range) => ({ ...entry, buckets: range }));
  });
}

/** A range less another one: none, one or two ranges. */
function lessThan([from, to]: [number, number], [first, last]: [number, number]): [number, number][] {
  if (last < from || first > to) return [[from, to]];
  const left: [number, number][] = first > from ? [[from, first - 1]] : [];
  const right: [number, number][] = last < to ? [[last + 1, to]] : [];
  return [...left, ...right];
}
