// The steps of a handover, each from one record to the next: closing, then open or undone. Pure; `scripts/handover.lua` takes the same ones.
import { movedAfter, movedSoFar } from './moved.ts';
import type { Cause, CellState, Changing, Handover, HealthRecord } from '../record.ts';

/** What a closing record changes beside its phase; what is absent stays. */
export type Aim = Partial<Pick<HealthRecord, 'state' | 'share' | 'deadline' | 'cause' | 'pins' | 'moved'>>;

/** What of a closing record is for its end. */
export type Terms = Pick<Handover, 'until' | 'actor' | 'reason' | 'to'>;

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
  const { share, operation, epoch, handover, returned } = record;
  const comesHome = share === 0 && handover !== null && isAwayByVerdict(handover.from);
  return {
    ...record,
    phase: 'open',
    epoch: epoch + 1,
    operation: share === 0 || share === 100 ? null : operation,
    since: now,
    moved: movedAfter(record),
    changing: null,
    returned: comesHome ? now : returned,
    undone: 0,
    handover: null,
  };
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

const ON_PURPOSE: ReadonlySet<Cause> = new Set<Cause>(['operator', 'expired', 'rollout', 'move']);

/** Whether tenants of an open record are away because a verdict sent them there, and nobody on purpose. */
export function isAwayByVerdict({ state, cause }: Pick<HealthRecord, 'state' | 'cause'>): boolean {
  if (state !== 'failed-over' && state !== 'returning') return false;
  return cause === null || !ON_PURPOSE.has(cause);
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
