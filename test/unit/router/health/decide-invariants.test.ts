// What no history of votes may bring about, tried over random ones.
import { assert, constantFrom, dictionary, array, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { decide, type DecideInput } from '../../../../router/health/decide.ts';
import type { HealthRecord, Vote } from '../../../../router/health/record.ts';
import { DOWN, homesOf, SELF_DECLARED, UP } from '../../../support/machine.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];

const steps = array(
  record({
    afterMs: integer({ min: 0, max: 3_000 }),
    live: array(dictionary(constantFrom(...CELLS), constantFrom<Vote[]>(UP, DOWN, SELF_DECLARED)), {
      maxLength: 5,
    }),
  }),
  { minLength: 5, maxLength: 40 },
);

type Watch = (before: ReadonlyMap<string, HealthRecord>, changed: HealthRecord[], input: DecideInput) => void;

/** Decides step after step, and shows each to `watch`. */
function overHistories(watch: Watch): void {
  const histories = record({
    cells: integer({ min: 1, max: CELLS.length }),
    minDwellMs: integer({ min: 0, max: 4_000 }),
    steps,
  });
  assert(
    property(histories, (history) => {
      const homes = homesOf(...CELLS.slice(0, history.cells));
      let records = new Map<string, HealthRecord>();
      let now = 1_000_000;
      for (const { afterMs, live } of history.steps) {
        now += afterMs;
        const votes = new Map(live.map((ofMachine, i) => [`r${i}`, ofMachine]));
        const input = { now, live: votes, homes, records, minDwellMs: history.minDwellMs };
        const { changed } = decide(input);
        watch(records, changed, input);
        records = new Map([...records, ...changed.map((one): [string, HealthRecord] => [one.home, one])]);
      }
    }),
    { numRuns: 1_000 },
  );
}

test('a home is served by itself or by its one neighbour', () => {
  overHistories((_, changed, { homes }) => {
    for (const { home, target } of changed) {
      const rule = homes.find((one) => one.home === home);
      expect([home, rule?.neighbour]).toContain(target);
    }
  });
});

test('every change raises the epoch by exactly one', () => {
  overHistories((before, changed) => {
    for (const { home, epoch } of changed) expect(epoch).toBe((before.get(home)?.epoch ?? 1) + 1);
  });
});

test('nothing changes without a majority of the live machines', () => {
  overHistories((_, changed, { live }) => {
    for (const { home, state } of changed) {
      const wanted = state === 'serving' ? 'up' : 'down';
      const agreeing = [...live.values()].filter((votes) => votes[home]?.opinion === wanted).length;
      expect(agreeing * 2).toBeGreaterThan(live.size);
    }
  });
});

test('two cells never stand in for one another', () => {
  overHistories((before, changed) => {
    const after = new Map([...before, ...changed.map((one): [string, HealthRecord] => [one.home, one])]);
    for (const { home, target } of after.values()) {
      if (target !== home) expect(after.get(target)?.target ?? target).not.toBe(home);
    }
  });
});

test('no home is sent to a neighbour that is itself away', () => {
  overHistories((before, changed) => {
    const after = new Map([...before, ...changed.map((one): [string, HealthRecord] => [one.home, one])]);
    for (const { home, target } of changed) {
      if (target !== home) expect(after.get(target)?.state ?? 'serving').toBe('serving');
    }
  });
});
