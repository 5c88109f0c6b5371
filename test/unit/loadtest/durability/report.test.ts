// When a scenario has kept its claims, and what the table says of it.
import { expect, test } from 'vitest';
import type { Played } from '../../../../loadtest/durability/measure.ts';
import { durabilityMet, judge, printedDurability } from '../../../../loadtest/durability/report.ts';
import type { Measured } from '../../../../loadtest/durability/run.ts';

function played(change: Partial<Played> = {}): Played {
  return {
    scenario: 'kill -9 of both',
    writes: 1_200,
    lost: 0,
    mayBeLost: 0,
    doubled: 0,
    conflicts: 0,
    stale: 0,
    unequal: 0,
    unfinished: 0,
    unavailableS: 1.23,
    lag: null,
    holdMs: null,
    faults: [],
    ...change,
  };
}

const whole = (change: Partial<Measured> = {}): Measured => ({
  played: [played()],
  brokenOff: [],
  left: [],
  ...change,
});

test.each(['lost', 'doubled', 'stale', 'unequal', 'unfinished'] as const)(
  'one %s breaks the claim',
  (figure) => {
    expect(judge(played())).toBe('met');
    expect(judge(played({ [figure]: 1 }))).toBe('missed');
    expect(durabilityMet(whole({ played: [played(), played({ [figure]: 1 })] }))).toBe(false);
  },
);

test('a listed conflict breaks no claim', () => {
  expect(judge(played({ conflicts: 3 }))).toBe('met');
});

test('with a lost disk as much may be lost as the lag did not cover, and none of what it did', () => {
  expect(judge(played({ lost: 3, mayBeLost: 3 }))).toBe('met');
  expect(judge(played({ lost: 4, mayBeLost: 3 }))).toBe('missed');
  // Few were lost, but one of them from before.
  expect(judge(played({ lost: 1, mayBeLost: 3, faults: ['lost: {}'] }))).toBe('missed');
});

test('a run that was broken off, or did not play everything, has not kept its claims', () => {
  expect(durabilityMet(whole())).toBe(true);
  expect(durabilityMet(whole({ brokenOff: [{ scenario: 'drain and restore', why: 'gave up' }] }))).toBe(
    false,
  );
  expect(durabilityMet(whole({ left: ['drain and restore'] }))).toBe(false);
});

test('the table has a line for each scenario, and every fault follows it', () => {
  const text = printedDurability({
    played: [
      played({ lag: { bytes: 512, seconds: 0.1, atMs: 0 }, holdMs: 81.4, conflicts: 2 }),
      played({ scenario: 'the disk is lost', lost: 1, mayBeLost: 7, faults: ['lost: {"id":"x"}'] }),
    ],
    brokenOff: [{ scenario: 'drain and restore', why: 'gave up waiting' }],
    left: ['a router is asleep'],
  });
  expect(text).toMatch(/^kill -9 of both +1200 +0 +0 +2 +0 +0 +1\.2 +512 \/ 0\.1 +81 +met$/m);
  expect(text).toMatch(/^the disk is lost +1200 +1 \/ 7 .* +missed$/m);
  expect(text).toMatch(/^drain and restore .* broken off$/m);
  expect(text).toMatch(/^a router is asleep .* not played$/m);
  expect(text).toMatch(/^the disk is lost: lost: \{"id":"x"\}$/m);
  expect(text).toMatch(/^drain and restore: broken off: gave up waiting$/m);
});
