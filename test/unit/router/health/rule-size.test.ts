// The bounds of what is pinned and moved, against the size of the health answer in which cells show it.
import { expect, onTestFinished, test } from 'vitest';
import { PINS_MOST } from '../../../../router/health/verdicts/change.ts';
import { MOVES_MOST } from '../../../../router/health/verdicts/moved.ts';
import { Probe } from '../../../../router/health/cells/probe.ts';
import { initialRecord } from '../../../../router/health/record.ts';
import { startStubCell } from '../../../support/stub-cell.ts';
import { plainNetwork } from '../../../support/network.ts';

const MOST_BYTES = 1_048_576;

/** A home's rule with as much in it as there can be. `closing`: during a cut-over of all that was cut over before. */
function fullRule(home: string, isClosing: boolean): object {
  const [to, neighbour] = ['c'.repeat(63), 'n'.repeat(63)];
  const tenant = (i: number): string => `${i}`.padStart(128, 't');
  const buckets = Array.from({ length: MOVES_MOST.ranges }, (): [number, number] => [65_535, 65_535]);
  const tenants = Array.from({ length: MOVES_MOST.tenants }, (_, i) => tenant(i));
  const before = buckets.map((range) => ({ buckets: range, to, generation: 9_999 }));
  const moved = [...(isClosing ? before : []), ...before, ...tenants.map((one) => ({ tenant: one, to }))];
  const pinned = Array.from({ length: isClosing ? 0 : PINS_MOST }, (_, i) => {
    return [tenant(i), { cell: neighbour, until: 1_790_000_000_000 }];
  });
  const changing = isClosing ? { tenants, buckets } : null;
  return { ...initialRecord(home, neighbour), pins: Object.fromEntries(pinned), moved, changing };
}

test.each([
  ['open', false],
  ['being cut over', true],
])('a cell is heard that shows all that can stand in the rules of two homes, %s', async (_, isClosing) => {
  const cell = await startStubCell('cell-a');
  onTestFinished(async () => await cell.close());
  const homes = ['a'.repeat(63), 'b'.repeat(63)];
  const rules = Object.fromEntries(homes.map((home) => [home, fullRule(home, isClosing)]));
  const epochs = Object.fromEntries(homes.map((home) => [home, 2 ** 52]));
  cell.health.body = { cell: 'cell-a', version: 'v1', status: 'ok', checks: {}, epochs, rules };
  // Cells may write their JSON with spaces.
  const spaced = JSON.stringify(cell.health.body, null, 1).replaceAll(/\n */g, ' ');
  expect(Buffer.byteLength(spaced)).toBeLessThan(MOST_BYTES);
  const probe = new Probe('cell-a', cell.origin, 10_000, plainNetwork());
  onTestFinished(async () => await probe.close());
  expect(await probe.ask()).toMatchObject({ ok: true, told: { rules } });
});
