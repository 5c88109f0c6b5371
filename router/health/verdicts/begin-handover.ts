// The handovers that begin by themselves: steps home, pins that expire; and a new neighbour. Pure; `scripts/begin-handover.lua`.
import { handoverDetails, isQuiet, recordIn, type Changed, type DecideInput } from './decision.ts';
import { causeWithPin, closing, leansOn } from './handover.ts';
import { initialRecord, type HealthRecord, type HomeRule } from '../record.ts';
import { servedBy } from './served-by.ts';
import { isTaken, lacksStandby } from './stand-in.ts';
import { tally } from './tally.ts';
import { stepHome, waited } from './way-home.ts';

/** The next step home, or the end of a pin, if one is due. `record`: an open one. */
export function beginStep(
  record: HealthRecord,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): Changed | null {
  if (!input.handsOver || isGaining(record.home, records)) return null;
  const step = stepHome(record, input);
  if (step === null) return expirePin(record, input);
  const { share, cause, reason } = step;
  const state = share === 0 ? 'serving' : 'returning';
  const aim = { state, share, cause, deadline: null } as const;
  const terms = { until: input.now + input.handoverMs, actor: 'quorum', reason, to: null };
  const next = closing(record, aim, null, terms, input.now);
  return { record: next, said: { cause, reason, details: handoverDetails(next, 'closing') } };
}

/** Whether buckets are being cut over to the home: until that has ended it stays as it is. */
export function isGaining(home: string, records: ReadonlyMap<string, HealthRecord>): boolean {
  for (const { phase, handover } of records.values()) {
    if (phase === 'closing' && handover?.to === home) return true;
  }
  return false;
}

/**
 * The end of the pin that expired first, the first by name of several. One whose tenant can not change cell now does not keep
 * the others: they are tried in turn, beginning a pin later after each handover that was undone.
 */
function expirePin(record: HealthRecord, input: DecideInput): Changed | null {
  if (!waited(record, 0, input)) return null;
  const expired = Object.entries(record.pins).filter(([, { until }]) => until <= input.now);
  expired.sort(([a, one], [b, other]) => one.until - other.until || (a < b ? -1 : 1));
  for (let tried = 0; tried < expired.length; tried += 1) {
    const [tenant = ''] = expired[(record.undone + tried) % expired.length] ?? [];
    const end = unpin(record, tenant, input);
    if (end !== null) return end;
  }
  return null;
}

function unpin(record: HealthRecord, tenant: string, input: DecideInput): Changed | null {
  const { [tenant]: _, ...pins } = record.pins;
  const [before, after] = [servedBy(record, tenant), servedBy({ ...record, pins }, tenant)];
  const reason = 'the pin expired';
  const pin = { tenant, cell: null };
  if (before === after) {
    // Nobody changes cell: why and since when the others are where they are stays, or a dwell would begin anew.
    const next: HealthRecord = { ...record, pins, epoch: record.epoch + 1 };
    const details = { ...handoverDetails(next, 'open'), pin };
    return { record: next, said: { cause: 'expired', reason, details } };
  }
  const isUp = (cell: string | null): boolean => cell !== null && tally(input.live, cell).verdict === 'up';
  if (!isUp(before) || !isUp(after)) return null;
  if (after === record.home && !tally(input.live, after).caughtUp) return null;
  if (lacksStandby(after ?? '', record.home, input.live, input)) return null;
  const terms = { until: input.now + input.handoverMs, actor: 'quorum', reason, to: null };
  const next = closing(
    record,
    { pins, cause: causeWithPin(record, 'expired') },
    { tenants: [tenant], buckets: [] },
    terms,
    input.now,
  );
  return {
    record: next,
    said: { cause: 'expired', reason, details: { ...handoverDetails(next, 'closing'), pin } },
  };
}

/**
 * A home that never changed has whatever neighbour the file in force gives it. Where a standby is required, the first one that
 * has it becomes the record's, so that another file replaces it no sooner than `changeNeighbour` does. Nothing else is new:
 * the record stays at the first epoch, and this is no event.
 */
export function keepNeighbour(
  { home, neighbour }: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): HealthRecord | null {
  const { live, homes, oneFleet, requiresStandby } = input;
  if (!requiresStandby || !oneFleet || neighbour === null || neighbour === home) return null;
  if (tally(live, neighbour).verdict !== 'up' || lacksStandby(neighbour, home, live, input)) return null;
  return isTaken(neighbour, records, homes) ? null : initialRecord(home, neighbour);
}

/**
 * The neighbour that the fleet file wants, once nobody is away, neither of this home nor of another one at that cell, all
 * live machines have the file, and its standby is synced where the fleet requires one: no tenant changes cell by it, so that one change is enough.
 */
export function changeNeighbour(
  record: HealthRecord,
  { neighbour }: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): Changed | null {
  const { live, now, oneFleet, homes } = input;
  if (!oneFleet || record.neighbour === neighbour || neighbour === record.home || !isQuiet(record))
    return null;
  if (neighbour !== null) {
    if (tally(live, neighbour).verdict !== 'up') return null;
    if (leansOn(recordIn(records, neighbour), record.home)) return null;
    if (isTaken(neighbour, records, homes)) return null;
    if (lacksStandby(neighbour, record.home, live, input)) return null;
  }
  const next: HealthRecord = { ...record, neighbour, epoch: record.epoch + 1, cause: 'move', since: now };
  const reason = `neighbour ${neighbour ?? 'none'} instead of ${record.neighbour ?? 'none'} by the fleet file`;
  const details = { target: next.target, neighbour: { from: record.neighbour, to: neighbour } };
  return { record: next, said: { cause: 'move', reason, details } };
}
