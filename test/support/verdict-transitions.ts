// How a record may change on a beat, field by field: each kind of change, told by what it looks like.
import { expect } from 'vitest';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import { expectSame } from './same.ts';
import { beginningDue, isKeepingDue, isNeighbourDue } from './verdict-begins.ts';
import {
  endDue,
  isFailoverWanted,
  isNeighbourLost,
  obstacle,
  relapsesAfter,
  returnedAfter,
} from './verdict-due.ts';
import { TENANTS } from './verdict-operators.ts';
import { anyAway, asItWas, isQuiet, serverOf, takes } from './verdict-records.ts';
import type { Situation } from './verdict-situation.ts';

/**
 * `lost`: home at once, its neighbour is down · `gained`: the new home's part of a cut-over that just opened · `begun`: a
 * handover, by itself · `unpinned`: a pin that made no difference is gone · `neighbour`: another one stands in from now on ·
 * `kept`: the neighbour that a home without a record has by the file is its record's.
 */
export type Kind =
  | 'opened'
  | 'undone'
  | 'lost'
  | 'gained'
  | 'failover'
  | 'begun'
  | 'unpinned'
  | 'neighbour'
  | 'kept';

/** A change on a beat. `cutOver`: the record in closing of the cut-over that opened right before it, else null. */
export type Change = { before: HealthRecord; after: HealthRecord; cutOver: HealthRecord | null };

export function kindOf({ before, after, cutOver }: Change): Kind {
  if (after.epoch === 1) return 'kept';
  if (after.phase === 'closing') return 'begun';
  if (cutOver !== null) return 'gained';
  if (before.phase === 'closing' && after.undone > 0) return 'undone';
  if (after.state === 'failed-over' && before.state !== 'failed-over') return 'failover';
  if (after.cause === 'neighbour-lost' && anyAway(before)) return 'lost';
  if (before.phase === 'closing') return 'opened';
  return before.neighbour === after.neighbour ? 'unpinned' : 'neighbour';
}

type Judge = (change: Change, situation: Situation) => HealthRecord;

/** What each kind demands, and the record that it makes, but for its epoch and its time. */
const JUDGES: Record<Kind, Judge> = {
  opened({ before, after }, situation) {
    expectSame(endDue(before, situation), 'open');
    const { share, operation, handover } = before;
    for (const tenant of TENANTS) {
      if (takes(before, tenant)) expectSame(serverOf(after, tenant), `home ${handover?.to}`);
    }
    const moved = handover?.to == null ? before.moved : after.moved;
    const end = { phase: 'open', changing: null, handover: null, undone: 0 } as const;
    const returned = share === 0 && handover !== null ? returnedAfter(before, situation) : before.returned;
    return { ...before, ...end, moved, returned, operation: share % 100 === 0 ? null : operation };
  },
  undone({ before }, situation) {
    expectSame(endDue(before, situation), 'undone');
    return { ...asItWas(before), shareBefore: before.share, undone: before.undone + 1 };
  },
  lost({ before }, situation) {
    expectSame(isNeighbourLost(before, situation), true);
    situation.lost.delete(before.home);
    const was = asItWas(before);
    const pins = Object.fromEntries(Object.entries(was.pins).filter(([, { cell }]) => cell === was.home));
    const home = { state: 'serving', share: 0, target: was.home, cause: 'neighbour-lost' } as const;
    const returned = returnedAfter(before, situation);
    return {
      ...was,
      ...home,
      returned,
      shareBefore: was.share,
      pins,
      operation: null,
      deadline: null,
      undone: 0,
    };
  },
  gained({ before, after, cutOver }) {
    expectSame(after.home, cutOver?.handover?.to);
    expectSame(isQuiet(before), true);
    for (const tenant of TENANTS) {
      if (cutOver !== null && takes(cutOver, tenant)) expectSame(serverOf(after, tenant), after.home);
    }
    return { ...before, cause: 'move', moved: after.moved };
  },
  failover({ before, after }, situation) {
    const rule = situation.ruleOf(before.home);
    expectSame(isFailoverWanted(before, situation), true);
    expectSame(rule === undefined ? 'unknown' : obstacle(before, rule, situation), null);
    expect(['unreachable', 'self-declared']).toContain(after.cause);
    const was = asItWas(before);
    const away = { state: 'failed-over', share: 100, shareBefore: was.share, cause: after.cause } as const;
    const rest = { operation: null, deadline: null, undone: 0, relapses: relapsesAfter(before, situation) };
    return { ...was, ...away, ...rest, target: was.neighbour ?? was.home };
  },
  begun({ before, after }, situation) {
    const due = beginningDue(before, situation);
    expect(due).not.toBe(null);
    const { now, asking } = situation;
    const terms = { until: now + asking.handoverMs, reason: after.handover?.reason ?? '' };
    if (due?.kind === 'step') {
      const { share, cause } = due;
      const state = share === 0 ? 'serving' : 'returning';
      return closingOf(before, { state, share, cause, deadline: null }, terms);
    }
    expect(due).toMatchObject({ kind: 'unpin', moves: true });
    const tenant = due?.tenant ?? '';
    const changing = { tenants: [tenant], buckets: [] };
    const cause = before.state === 'serving' ? 'expired' : before.cause;
    return closingOf(before, { pins: withoutPin(before, tenant), changing, cause }, terms);
  },
  unpinned({ before }, situation) {
    const due = beginningDue(before, situation);
    expect(due).toMatchObject({ kind: 'unpin', moves: false });
    // It says nothing of why and since when the others are where they are.
    return { ...before, pins: withoutPin(before, due?.kind === 'unpin' ? due.tenant : '') };
  },
  neighbour({ before }, situation) {
    const rule = situation.ruleOf(before.home);
    expectSame(rule !== undefined && isNeighbourDue(before, rule, situation), true);
    return { ...before, neighbour: rule?.neighbour ?? null, cause: 'move' };
  },
  kept({ before }, situation) {
    const rule = situation.ruleOf(before.home);
    expectSame(rule !== undefined && isKeepingDue(rule, situation), true);
    return initialRecord(before.home, rule?.neighbour ?? null);
  },
};

/** The record changes as the rules say, and on no other grounds. */
export function expectTransition(kind: Kind, change: Change, situation: Situation): void {
  const { before, after } = change;
  const wanted = JUDGES[kind](change, situation);
  const since = kind === 'unpinned' ? before.since : situation.now;
  expectSame(after, kind === 'kept' ? wanted : { ...wanted, epoch: before.epoch + 1, since });
}

/** The record in closing, but for its epoch and its time. */
export function closingOf(
  record: HealthRecord,
  aim: Partial<HealthRecord>,
  terms: { until: number; reason: string; actor?: string; to?: string | null },
): HealthRecord {
  const { state, target, operation, deadline, cause, pins, moved, home, neighbour, epoch } = record;
  const share = aim.share ?? record.share;
  return {
    ...record,
    ...aim,
    phase: 'closing',
    shareBefore: record.share,
    target: share > 0 ? (neighbour ?? home) : home,
    operation: share === record.share ? operation : (operation ?? epoch + 1),
    handover: {
      actor: 'quorum',
      to: null,
      ...terms,
      from: { state, target, operation, deadline, cause, pins, moved },
    },
  };
}

function withoutPin({ pins }: HealthRecord, tenant: string): HealthRecord['pins'] {
  const { [tenant]: _, ...others } = pins;
  return others;
}

/** Whether a pin ends that was not the first to expire. */
function isOutOfTurn({ pins }: HealthRecord, { changing }: HealthRecord): boolean {
  const [tenant = ''] = changing?.tenants ?? [];
  return Object.values(pins).some(({ until }) => until < (pins[tenant]?.until ?? 0));
}

/** What a change is counted as: each of them must happen often. */
export function nameOf(kind: Kind, { before, after }: Change): string[] {
  const was = asItWas(before);
  const inClosing = before.phase === 'closing' ? ' in closing' : '';
  if (kind === 'lost') return [was.share % 100 === 0 ? kind : `${kind} with a share`, `lost${inClosing}`];
  if (kind === 'failover') {
    const relapse = ['failed-over', 'returning'].includes(was.state) ? 'relapse' : 'relapse from home';
    return [`failover${inClosing}`, ...(after.relapses > 0 ? [relapse] : [])];
  }
  if (kind === 'undone' && before.handover === null) {
    return ['undone, adopted', ...(before.changing === null ? [] : ['undone, adopted cut-over'])];
  }
  if (kind === 'opened' && before.handover === null) return [kind, 'opened, adopted'];
  if (kind === 'opened') return [kind, ...(before.handover?.to == null ? [] : ['cut over'])];
  if (kind !== 'begun') return [kind];
  if (after.share === before.share)
    return ['pin expiry', ...(isOutOfTurn(before, after) ? ['pin expiry, another'] : [])];
  const expired = before.state === 'drained' || before.state === 'serving';
  return [`step to ${after.share}`, ...(expired ? ['drain expiry'] : [])];
}
