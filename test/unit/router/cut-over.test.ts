// Random histories of a fleet's generations, settled in any order, with cut-overs between: nothing moves but on purpose.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { outstandingIn, rangesFor, type Unsettled } from '../../../router/cut-over.ts';
import type { Range } from '../../../router/health/verdicts/moved.ts';
import { lastKnownHome, type CutOvers } from '../../../router/find-home.ts';
import { parseFleet } from '../../../router/fleet/load.ts';
import { beginChange } from '../../../router/health/verdicts/change.ts';
import { endHandover } from '../../../router/health/verdicts/end-handover.ts';
import { opened, undone } from '../../../router/health/verdicts/handover.ts';
import { tenantHomes } from '../../../router/health/verdicts/moved.ts';
import { initialRecord, type HealthRecord } from '../../../router/health/record.ts';
import type { Change } from '../../../router/health/store.ts';
import { dealAll } from '../../../router/placement/courses.ts';
import { replay, type Generation, type PlacementInput } from '../../../router/placement/history.ts';
import type { Location } from '../../../router/placement/placement.ts';
import { UP } from '../../support/machine.ts';
import { histories } from './placement/histories.ts';

const BUCKETS = 96;
const NOW = 1_000_000;

/** What happens to a fleet: numbers are taken modulo what there is to choose from. */
type Happening =
  | { kind: 'append'; settled: boolean }
  | { kind: 'settle'; which: number }
  | { kind: 'cut-over'; to: number; from: number; range: Range; undone: boolean };

const range = fc
  .tuple(fc.nat(BUCKETS - 1), fc.nat(BUCKETS - 1))
  .map(([a, b]): Range => [Math.min(a, b), Math.max(a, b)]);
const happenings = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('append' as const), settled: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat() }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('cut-over' as const),
        to: fc.nat(),
        from: fc.nat(),
        range,
        undone: fc.boolean(),
      }),
    },
  ),
  { minLength: 4, maxLength: 24 },
);

class World {
  readonly #input: PlacementInput;
  #generations: Generation[];
  #placement: Unsettled;
  readonly #records = new Map<string, HealthRecord>();
  readonly cutOvers: CutOvers = {
    recordOf: (home) => this.#records.get(home) ?? initialRecord(home, null),
    knows: () => true,
    movedTenant: (tenant) => tenantHomes(this.#records.values()).get(tenant) ?? null,
    isOvertaken: () => false,
  };

  constructor(input: PlacementInput) {
    this.#input = input;
    this.#generations = input.generations.slice(0, 1);
    this.#placement = placementOf(input, this.#generations);
  }

  /** Where each bucket is at home. */
  homes(): string[] {
    return Array.from(
      { length: BUCKETS },
      (_, bucket) => lastKnownHome(this.#placement.locateBucket(bucket), this.cutOvers).home,
    );
  }

  owners(generations = this.#generations.length): readonly string[] {
    return dealAll(replay({ ...this.#input, generations: this.#generations.slice(0, generations) }), BUCKETS)
      .owners;
  }

  happen(happening: Happening): void {
    const before = this.homes();
    if (happening.kind === 'cut-over') this.#cutOver(happening, before);
    else if (happening.kind === 'append') this.#append(happening.settled, before);
    else this.#settle(happening.which, before);
  }

  #append(settled: boolean, before: readonly string[]): void {
    const next = this.#input.generations[this.#generations.length];
    if (next === undefined) return;
    this.#inForce([...this.#generations, { ...next, settled }]);
    this.#onlyWhatItSettled(before, settled ? this.#generations.length : null);
  }

  #settle(which: number, before: readonly string[]): void {
    const index = which % this.#generations.length;
    if (index === 0) return;
    this.#inForce(this.#generations.map((one, at) => (at === index ? { ...one, settled: true } : one)));
    this.#onlyWhatItSettled(before, index + 1);
  }

  /** What is at home elsewhere now is one of the buckets that the settled generation moved, and is where it put it. */
  #onlyWhatItSettled(before: readonly string[], generation: number | null): void {
    const [old, owners] =
      generation === null ? [[], []] : [generation - 1, generation].map((count) => this.owners(count));
    for (const [bucket, home] of this.homes().entries()) {
      if (home === before[bucket]) continue;
      expect([home, old?.[bucket] === home]).toEqual([owners?.[bucket], false]);
    }
  }

  #inForce(generations: Generation[]): void {
    this.#generations = generations;
    this.#placement = placementOf(this.#input, generations);
  }

  #cutOver(asked: Extract<Happening, { kind: 'cut-over' }>, before: readonly string[]): void {
    const cells = [...new Set(this.owners())].sort();
    const to = cells[asked.to % cells.length] ?? '';
    const { byHome } = outstandingIn(this.#placement, this.cutOvers, to, [asked.range]);
    const froms = [...byHome.keys()].sort();
    const from = froms[asked.from % froms.length];
    if (from === undefined) return;
    const buckets = byHome.get(from) ?? [];
    const ranges = rangesFor(this.#placement, this.cutOvers, { from, to, buckets });
    const closing = this.#begin(from, to, ranges);
    this.#records.set(from, closing);
    expect(this.homes()).toEqual(before);
    if (asked.undone) this.#records.set(from, undone(closing, NOW));
    else for (const { record } of this.#end(closing)) this.#records.set(record.home, record);
    expect(this.homes()).toEqual(
      before.map((home, bucket) => (!asked.undone && buckets.includes(bucket) ? to : home)),
    );
  }

  #begin(home: string, to: string, buckets: Range[]): HealthRecord {
    const change = changeOf(home, to, buckets, this.#generations.length);
    const live = this.#live();
    const outcome = beginChange(change, {
      now: NOW,
      live,
      records: this.#records,
      handsOver: true,
      warmingUp: false,
    });
    if ('refused' in outcome) throw new Error(outcome.refused);
    return outcome.record;
  }

  #end(closing: HealthRecord) {
    const confirmation = { epoch: closing.epoch, held: true, ready: true };
    return endHandover(closing, this.#records, {
      now: NOW,
      live: this.#live(),
      confirmations: new Map([['router-1', { [closing.home]: confirmation }]]),
      homes: [],
      records: this.#records,
      minDwellMs: 0,
      neighbourLostMs: 0,
      handoverMs: 2_000,
      requiresStandby: false,
      maxFailedOver: 1,
      warmingUp: false,
      handsOver: true,
      oneFleet: true,
      lost: new Map(),
      held: new Map(),
    });
  }

  #live() {
    return new Map([['router-1', Object.fromEntries([...this.#input.cells.keys()].map((id) => [id, UP]))]]);
  }
}

function changeOf(home: string, to: string, buckets: Range[], generation: number): Change {
  return {
    home,
    neighbour: null,
    wish: { kind: 'cut-over', to, buckets, tenants: [], generation },
    cause: 'move',
    actor: 'anna',
    reason: 'a new cell',
    owner: 'anna',
    expiresInMs: 0,
    handoverMs: 2_000,
    requiresStandby: false,
    override: [],
  };
}

/** The placement of few buckets, so that thousands of histories can be tried. */
function placementOf(input: PlacementInput, generations: Generation[]): Unsettled {
  const { courses } = dealAll(replay({ ...input, generations }), BUCKETS);
  const locateBucket = (bucket: number): Location => {
    const course = courses[bucket];
    if (course === undefined) throw new RangeError(`no bucket ${bucket}`);
    const [{ owner: home }] = course;
    const owner = course.at(-1)?.owner ?? home;
    const unsettled = course.length > 1 ? { course, tenant: null } : null;
    return { bucket, home, movingTo: owner === home ? null : owner, pin: null, unsettled };
  };
  const unsettledBuckets = [...courses.keys()].filter((bucket) => (courses[bucket]?.length ?? 0) > 1);
  return { locateBucket, unsettledBuckets, generations: generations.length };
}

test('whatever is appended, settled, cut over or undone, a bucket moves by its own cut-over or a settled generation alone', () => {
  fc.assert(
    fc.property(histories(6), happenings, (input, happens) => {
      const world = new World(input);
      for (const happening of happens) world.happen(happening);
    }),
    { numRuns: 600 },
  );
});

const FOUR = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];
const LEAVING = {
  cells: Object.fromEntries(FOUR.map((id, at) => [id, { origin: `http://127.0.0.1:${at + 1}` }])),
  generations: [{ add: FOUR }, { remove: ['cell-a'] }],
};

test('a cell that leaves gives each of its heirs all that is theirs by one range', () => {
  const { placement } = parseFleet(JSON.stringify(LEAVING), '.');
  const records = new Map<string, HealthRecord>();
  const recordOf = (home: string): HealthRecord => records.get(home) ?? initialRecord(home, null);
  const cutOvers: CutOvers = {
    recordOf,
    knows: () => true,
    movedTenant: () => null,
    isOvertaken: () => false,
  };
  for (const [done, to] of FOUR.slice(1).entries()) {
    const buckets = outstandingIn(placement, cutOvers, to, [[0, 65_535]]).byHome.get('cell-a') ?? [];
    const ranges = rangesFor(placement, cutOvers, { from: 'cell-a', to, buckets });
    expect([buckets.length > 5_000, ranges.length]).toEqual([true, 1]);
    const live = new Map([['router-1', Object.fromEntries(FOUR.map((id) => [id, UP]))]]);
    const change = changeOf('cell-a', to, ranges, placement.generations);
    const begun = beginChange(change, { now: NOW, live, records, handsOver: true, warmingUp: false });
    if ('refused' in begun) throw new Error(begun.refused);
    records.set('cell-a', opened(begun.record, NOW));
    expect(recordOf('cell-a').moved).toHaveLength(done + 1);
    const homes = buckets.map((bucket) => lastKnownHome(placement.locateBucket(bucket), cutOvers).home);
    expect(new Set(homes)).toEqual(new Set([to]));
  }
});
