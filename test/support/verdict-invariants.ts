// What no history may break, whatever the rules of the moment: containment, one server at a time, one flip a travel.
import { isDeepStrictEqual } from 'node:util';
import { bucketOf } from '../../router/placement/hash.ts';
import type { HealthRecord } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import { expectOneOf, expectSame } from './same.ts';
import { TENANTS } from './verdict-operators.ts';
import { asItWas, leansOn, serverOf } from './verdict-records.ts';

/** How a record became open: `at-once` without a handover, by a verdict or by force. */
export type Opening = 'confirmed' | 'undone' | 'at-once' | 'unmoved';

type Travel = { operation: number | null; isOutward: boolean; flipped: Set<string> };
type Journey = { open: HealthRecord; closing: HealthRecord | null; travel: Travel | null };

/** A record gives tenants to its home and to its one neighbour, and to nobody only while it is closing. */
function expectContained(record: HealthRecord): void {
  const { home, neighbour, target, phase, pins, share, operation, moved } = record;
  const pair = [home, neighbour];
  expectOneOf(target, pair);
  for (const { cell } of Object.values(pins)) expectOneOf(cell, pair);
  for (const tenant of TENANTS) {
    expectOneOf(servedBy(record, tenant), phase === 'open' ? pair : [...pair, null]);
  }
  // While it is closing, a cut-over's entries are there beside those that they replace.
  for (const bucket of phase === 'open' ? TENANTS.map(bucketOf) : []) {
    const holding = moved.filter(
      (one) => 'buckets' in one && one.buckets[0] <= bucket && bucket <= one.buckets[1],
    );
    const cells = new Set(holding.map(({ to }) => to));
    if (holding.length > cells.size) expectSame(moved, 'one entry for each bucket and cell');
  }
  if (phase === 'open') expectSame(operation === null, share === 0 || share === 100);
}

/** Follows each home from one open record to the next. */
export class Journeys {
  readonly #journeys = new Map<string, Journey>();
  readonly #before = new Map<string, Journey>();

  /** What was known of closing records still says what they come from, when a cell alone tells of them. */
  clear(): void {
    for (const [home, journey] of this.#journeys) this.#before.set(home, journey);
    this.#journeys.clear();
  }

  /** Starts anew: a record that was brought back says nothing of how it came about. */
  begin(record: HealthRecord): void {
    const known = this.#before.get(record.home);
    const isKnown = known?.closing != null && isSameRule(known.closing, record);
    const open = isKnown ? known.open : asItWas(record);
    this.#journeys.set(record.home, { open, closing: null, travel: null });
    if (record.phase === 'closing') this.#closing(record, this.#of(record));
  }

  /** `gained`: the tenants that this home gains by another one's handover. */
  follow(record: HealthRecord, before: HealthRecord, how: Opening, gained: HealthRecord | null = null): void {
    expectSame(record.epoch, before.epoch + 1);
    expectContained(record);
    if (!this.#journeys.has(record.home)) this.begin(before);
    const journey = this.#of(record);
    if (record.phase === 'closing') this.#closing(record, journey);
    else this.#opened(record, journey, how, gained);
  }

  #of({ home }: HealthRecord): Journey {
    const journey = this.#journeys.get(home);
    if (journey === undefined) throw new Error(`nothing is known of ${home}`);
    return journey;
  }

  /** Who has a server keeps it. */
  #closing(record: HealthRecord, journey: Journey): void {
    expectSame(journey.closing, null);
    for (const tenant of TENANTS) {
      const server = serverOf(record, tenant);
      if (server !== null) expectSame(server, serverOf(journey.open, tenant));
    }
    journey.closing = record;
  }

  #opened(record: HealthRecord, journey: Journey, how: Opening, gained: HealthRecord | null): void {
    const changed = TENANTS.filter((tenant) => serverOf(record, tenant) !== serverOf(journey.open, tenant));
    if (how === 'undone') expectSame(changed, []);
    if (how === 'unmoved') {
      for (const tenant of changed) expectSame(gained === null ? 'kept' : serverOf(gained, tenant), null);
    }
    if (how === 'confirmed') {
      for (const tenant of changed) {
        expectSame(journey.closing === null ? 'served' : serverOf(journey.closing, tenant), null);
      }
      this.#flipOnce(record, journey, changed);
    } else if (how === 'at-once') journey.travel = null;
    journey.open = record;
    journey.closing = null;
  }

  /** While the share goes one way, nobody goes that way twice, or back; pins have their own ways. */
  #flipOnce(record: HealthRecord, journey: Journey, changed: readonly string[]): void {
    const { share, shareBefore, pins, moved } = record;
    if (share === shareBefore || journey.closing === null) return;
    const { operation } = journey.closing;
    const isOutward = share > shareBefore;
    const goesOn = journey.travel?.operation === operation && journey.travel.isOutward === isOutward;
    if (!goesOn) journey.travel = { operation, isOutward, flipped: new Set() };
    for (const tenant of changed) {
      if (Object.hasOwn(pins, tenant) || moved.length > 0) continue;
      expectSame(journey.travel?.flipped.has(tenant), false);
      expectSame(serverOf(record, tenant), isOutward ? record.neighbour : record.home);
      journey.travel?.flipped.add(tenant);
    }
  }
}

/** Whether cells would show the same of both. */
function isSameRule(one: HealthRecord, other: HealthRecord): boolean {
  const unknown = { since: null, cause: null, returned: null, relapses: 0, undone: 0, handover: null };
  return isDeepStrictEqual({ ...one, ...unknown }, { ...other, ...unknown });
}

/** No two cells stand in for one another: whichever died, its own tenants and its guests would be lost together. */
export function expectNoPact(before: HealthRecord, after: HealthRecord, standIn: HealthRecord): void {
  if (leansOn(after, standIn.home) && !leansOn(before, standIn.home)) {
    expectSame(leansOn(standIn, after.home), false);
  }
}
