// The benchmark of durability on a small scale: one pair of real cells, killed and robbed of a disk while clients write.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Played } from '../../loadtest/durability/measure.ts';
import { judge } from '../../loadtest/durability/report.ts';
import { runDurability, type Measured } from '../../loadtest/durability/run.ts';
import { SCENARIOS } from '../../loadtest/durability/scenarios.ts';

const NAMES = ['the same key again on the guest', 'drain and restore', "the home's disk is lost"];

let folder = '';
let measured: Measured;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cellgate-bench-'));
  const scenarios = SCENARIOS.filter(({ name }) => NAMES.includes(name));
  const say = (line: string): void => console.log(line);
  measured = await runDurability({
    folder,
    cells: 2,
    seed: 6,
    quick: true,
    scenarios,
    limitMs: 100_000,
    say,
  });
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const playedOf = (name: string): Played | undefined =>
  measured.played.find(({ scenario }) => scenario === name);

test('every scenario is played to its end', () => {
  expect(measured.brokenOff).toEqual([]);
  expect(measured.played.map(({ scenario }) => scenario)).toEqual(NAMES);
});

test.each(NAMES)('%s: what was acknowledged is there once, equal on both sides', (name) => {
  const one = playedOf(name);
  expect({ judgement: one && judge(one), faults: one?.faults, wrote: (one?.writes ?? 0) > 0 }).toEqual({
    judgement: 'met',
    faults: [],
    wrote: true,
  });
});

test('the lag of the standby is known as it was shown last before a death', () => {
  const shown = measured.played.map(({ scenario, lag }) => [scenario, typeof lag?.seconds]);
  expect(shown).toEqual([
    [NAMES[0], 'number'],
    [NAMES[1], 'undefined'],
    [NAMES[2], 'number'],
  ]);
});

test('holds are seen where tenants are handed over as planned', () => {
  expect(playedOf('drain and restore')?.holdMs).toBeGreaterThan(0);
});
