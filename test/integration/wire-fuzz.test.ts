// A small run of the generator of broken requests; `npm run bench:wire` runs the long one.
import { expect, onTestFinished, test } from 'vitest';
import { caseOf } from '../../loadtest/bench/wire-cases.ts';
import { fuzz } from '../../loadtest/bench/wire-fuzz.ts';
import { startStrictCell } from '../../loadtest/stubs/strict-cell.ts';
import { untilNothingInside } from '../support/metrics.ts';
import { ask, head } from '../support/raw-http.ts';
import { fleetOf, startRouter } from '../support/router.ts';

const SEED = 20_261_124;
const CASES = 2_000;

test('no broken request harms the router, and the cell sees none that nobody made', async () => {
  const cell = await startStrictCell();
  const router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    FALL: '100',
    HOLD_MAX: '0',
    // An upload that its client left, and its cell does not read, is inside for so long at most.
    CELL_TIMEOUT_MS: '10000',
    ACCESS_LOG: 'off',
  });
  onTestFinished(async () => {
    await router.stop();
    await cell.close();
  });
  const target = { port: router.port, cell, alive: () => router.child.exitCode === null };
  const report = await fuzz(target, { seed: SEED, cases: CASES });
  expect(report.failures).toEqual([]);
  expect(report.cases).toBe(CASES);
  // Neither all refused nor all let through: the cases are about what lies between.
  expect(report.seen).toBeGreaterThan(CASES / 4);
  expect(report.statuses.get('400')).toBeGreaterThan(CASES / 4);
  await untilNothingInside(router.admin);
  expect((await ask(router.port, head('GET /alive'))).status).toBe(200);
});

test('a seed gives the same cases again', () => {
  expect(caseOf(SEED, 7)).toEqual(caseOf(SEED, 7));
  expect(caseOf(SEED, 7)).not.toEqual(caseOf(SEED, 8));
});
