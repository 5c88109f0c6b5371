// How a handover ends: open once all have confirmed it, else undone. Pure; `scripts/end-handover.lua` decides the same.
import { handoverDetails, isQuiet, recordIn, type Changed, type DecideInput } from './decision.ts';
import { opened, undone } from './handover.ts';
import { changesPin, without } from './moved.ts';
import type { HealthRecord } from '../record.ts';
import { routerOf } from '../store.ts';
import { sortedRouters } from './tally.ts';

/** An event names this many of those that were waited for at most. */
const WAITING_MOST = 20;

/** Among those that are waited for: no machine has brought the cells the rule. */
const CELLS = 'cells';

/** The changes that end the handover of a closing record, of two homes where buckets change theirs; none: it goes on. */
export function endHandover(
  record: HealthRecord,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): Changed[] {
  const { handover, since } = record;
  if (handover === null) return endAdopted(record, input);
  const waitingFor = missing(record, input);
  const gainer = handover.to === null ? null : gaining(handover.to, records, input);
  if (waitingFor.length === 0 && gainer === 'busy') return [undo(record, [`home ${handover.to}`], input)];
  if (waitingFor.length === 0) return [open(record, input), ...gained(record, gainer, input)];
  // A clock that was set back must not keep tenants without a cell for as long as it was set back.
  const mayTakeMs = handover.until - (since ?? input.now);
  const over = Math.abs(input.now - (since ?? input.now)) >= mayTakeMs;
  return over ? [undo(record, waitingFor, input)] : [];
}

/**
 * A closing record that only a cell has told of goes back to what its share and its moves were. What a pin was nobody knows:
 * it becomes what it says, once all machines hold its tenant and have nothing of it inside either cell, be it late.
 */
function endAdopted(record: HealthRecord, input: DecideInput): Changed[] {
  if (!changesPin(record)) return [undo(record, [], input)];
  if (missing(record, input).some((one) => one !== CELLS)) return [];
  const { record: next, said } = open(record, input);
  const [tenant = ''] = record.changing?.tenants ?? [];
  const cell = Object.hasOwn(next.pins, tenant) ? (next.pins[tenant]?.cell ?? null) : null;
  const details = { ...said.details, pin: { tenant, cell } };
  return [{ record: next, said: { ...said, reason: 'nobody knows what it was before', details } }];
}

/** Who has not confirmed yet: machines that have requests inside, or do not answer, and the cells if no machine has reached them. */
function missing({ home, epoch }: HealthRecord, { confirmations }: DecideInput): string[] {
  let ready = false;
  const waitingFor: string[] = [];
  for (const machine of sortedRouters(confirmations)) {
    const told = confirmations.get(machine);
    const router = routerOf(machine);
    const one = told !== undefined && Object.hasOwn(told, home) ? told[home] : undefined;
    const speaksOfIt = one?.epoch === epoch;
    if (speaksOfIt && one.ready) ready = true;
    if (!speaksOfIt) waitingFor.push(`${router}: no answer`);
    else if (!one.held) waitingFor.push(`${router}: requests inside`);
  }
  if (!ready) waitingFor.push(CELLS);
  return waitingFor;
}

function open(record: HealthRecord, { now }: DecideInput): Changed {
  const { handover, cause } = record;
  const next = opened(record, now);
  const { actor = 'quorum', reason = '' } = handover ?? {};
  return {
    record: next,
    said: { actor, reason, cause: cause ?? 'operator', details: handoverDetails(next, 'open') },
  };
}

function undo(record: HealthRecord, waitingFor: readonly string[], { now }: DecideInput): Changed {
  const { handover, cause } = record;
  const next = undone(record, now);
  const { actor = 'quorum', reason = 'nobody knows what it was to become' } = handover ?? {};
  const details = { ...handoverDetails(next, 'undone'), waitingFor: waitingFor.slice(0, WAITING_MOST) };
  return { record: next, said: { actor, reason, cause: cause ?? 'operator', details } };
}

/** The new home's record; `busy`: it can not take anybody now, its own tenants are away or on their way. */
function gaining(
  to: string,
  records: ReadonlyMap<string, HealthRecord>,
  { homes }: DecideInput,
): HealthRecord | 'busy' {
  const neighbour = homes.find(({ home }) => home === to)?.neighbour ?? null;
  const record = recordIn(records, to, neighbour);
  return isQuiet(record) ? record : 'busy';
}

/** The new home's epoch rises, too; what it had moved away before and now gets back is its own again. */
function gained(
  { home, changing, handover }: HealthRecord,
  gainer: HealthRecord | 'busy' | null,
  { now }: DecideInput,
): Changed[] {
  if (gainer === null || gainer === 'busy') return [];
  const moved = without(gainer.moved, changing ?? undefined);
  const record: HealthRecord = { ...gainer, epoch: gainer.epoch + 1, cause: 'move', since: now, moved };
  const { actor = 'quorum', reason = '' } = handover ?? {};
  const details = { target: record.target, cutOver: { from: home, ...sizeOf(changing) } };
  return [{ record, said: { actor, reason, cause: 'move', details } }];
}

/** How much a cut-over moves: a list of tenants can be long, and their names say nothing here. */
export function sizeOf(changing: HealthRecord['changing']): { buckets: number; tenants: number } {
  const { buckets, tenants } = changing ?? { buckets: [], tenants: [] };
  return { buckets: buckets.reduce((sum, [from, to]) => sum + to - from + 1, 0), tenants: tenants.length };
}
