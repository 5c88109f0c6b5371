// Who serves a home's tenants: the home, its one neighbour, or nobody.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseCell, type Knowledge } from '../../../router/choose-cell.ts';
import { closing, opened, undone } from '../../../router/health/verdicts/handover.ts';
import { initialRecord, type CellState, type HealthRecord } from '../../../router/health/record.ts';
import { servedBy, slotOf } from '../../../router/health/verdicts/served-by.ts';
import { awayRecord } from '../../support/machine.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c'];

function knowing(
  record: HealthRecord,
  unreachable: string[] = [],
  cells = CELLS,
  standIn: string | null = null,
): Knowledge {
  return {
    recordOf: () => record,
    isUnreachable: (cell) => unreachable.includes(cell),
    hasCell: (cell) => cells.includes(cell),
    ownStandIn: () => standIn,
  };
}

const HOME = initialRecord('cell-a', 'cell-b');
const AWAY = awayRecord('cell-a', 'cell-b', 4);

test('a serving home serves its own tenants', () => {
  expect(chooseCell('cell-a', 'acme', knowing(HOME), false)).toEqual({
    cell: 'cell-a',
    role: 'home',
    home: 'cell-a',
    epoch: 1,
    slot: null,
    reason: 'home is serving',
  });
});

test('the tenants of a failed-over home are guests of its neighbour', () => {
  expect(chooseCell('cell-a', 'acme', knowing(AWAY), false)).toEqual({
    cell: 'cell-b',
    role: 'guest',
    home: 'cell-a',
    epoch: 4,
    slot: null,
    reason: 'home failed-over: unreachable',
  });
});

test('a failed-over home that can be reached again still is not used', () => {
  expect(chooseCell('cell-a', 'acme', knowing(AWAY, []), false)).toMatchObject({ cell: 'cell-b' });
});

test('an unreachable home without a verdict is a refusal: one router’s own word moves nobody', () => {
  expect(chooseCell('cell-a', 'acme', knowing(HOME, ['cell-a']), false)).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 1,
    reason: 'cell-a is unreachable',
  });
});

test('home and neighbour both down is a refusal: failover does not chain', () => {
  expect(chooseCell('cell-a', 'acme', knowing(AWAY, ['cell-a', 'cell-b']), false)).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 4,
    reason: 'cell-a is failed-over, and its neighbour cell-b is unreachable',
  });
});

test('a record that names a third cell is not followed', () => {
  expect(chooseCell('cell-a', 'acme', knowing({ ...AWAY, target: 'cell-c' }), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: 'the record of cell-a names a third cell',
  });
});

test('a cell that is not in the fleet serves nobody', () => {
  expect(chooseCell('cell-a', 'acme', knowing(AWAY, [], ['cell-a']), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: "cell-b is not in this router's fleet",
  });
});

const alone = (unreachable: string[]): Knowledge => knowing(HOME, unreachable, CELLS, 'cell-b');

test('with a stand-in of its own a router sends reads there while it can not reach their home', () => {
  expect(chooseCell('cell-a', 'acme', alone(['cell-a']), true)).toEqual({
    cell: 'cell-b',
    role: 'guest',
    home: 'cell-a',
    epoch: 1,
    slot: null,
    reason: 'no store, cell-a is unreachable: reads only',
  });
});

test('it sends no writes there', () => {
  expect(chooseCell('cell-a', 'acme', alone(['cell-a']), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: 'cell-a is unreachable',
  });
});

test('it sends nothing there while the home can be reached', () => {
  expect(chooseCell('cell-a', 'acme', alone([]), true)).toMatchObject({ cell: 'cell-a', role: 'home' });
});

test('for tenants that are away on a verdict it asks for no stand-in: there is no third cell', () => {
  const knowledge = knowing(AWAY, ['cell-b'], CELLS, 'cell-a');
  expect(chooseCell('cell-a', 'acme', knowledge, true)).toMatchObject({ refusal: 'cell-unavailable' });
});

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const DRAINING = closing(HOME, { share: 30 }, null, TERMS, 0);
const DRAINED = opened(DRAINING, 0);
/** By the slots of operation 2 the first is among the 30 % that go, the second among those that stay. */
const [GOES, STAYS] = ['echo', 'acme'];

test('a tenant that is being handed over has no cell', () => {
  expect([slotOf(GOES, 2) < 3_000, slotOf(STAYS, 2) < 3_000]).toEqual([true, false]);
  expect(chooseCell('cell-a', GOES, knowing(DRAINING), false)).toEqual({
    refusal: 'placement-moving',
    home: 'cell-a',
    epoch: 2,
    reason: 'a tenant of cell-a is being handed over',
  });
});

test('those that stay are served meanwhile, and each request says the tenant’s slot', () => {
  expect(chooseCell('cell-a', STAYS, knowing(DRAINING), false)).toEqual({
    cell: 'cell-a',
    role: 'home',
    home: 'cell-a',
    epoch: 2,
    slot: slotOf(STAYS, 2),
    reason: 'home is serving 70 % of its tenants',
  });
});

test('once it is open, those that went are guests, and the others at home', () => {
  expect(chooseCell('cell-a', GOES, knowing({ ...DRAINED, cause: 'operator' }), false)).toMatchObject({
    cell: 'cell-b',
    role: 'guest',
    slot: slotOf(GOES, 2),
    reason: 'home serving: operator, 30 % are away',
  });
  expect(chooseCell('cell-a', STAYS, knowing(DRAINED), false)).toMatchObject({ cell: 'cell-a' });
});

test('once it is undone, all are at home', () => {
  for (const tenant of [GOES, STAYS]) {
    const choice = chooseCell('cell-a', tenant, knowing(undone(DRAINING, 0)), false);
    expect(choice).toMatchObject({ cell: 'cell-a', slot: null });
  }
});

test('one that is handed over waits even where its cells can not be reached, and no stand-in is asked for', () => {
  const knowledge = knowing(DRAINING, ['cell-a', 'cell-b'], CELLS, 'cell-b');
  expect(chooseCell('cell-a', GOES, knowledge, true)).toMatchObject({ refusal: 'placement-moving' });
});

test('a pin beats the share, and the reason says so', () => {
  const pins = { [STAYS]: { cell: 'cell-b', until: 1 }, [GOES]: { cell: 'cell-a', until: 1 } };
  const knowledge = knowing({ ...DRAINED, pins });
  expect(chooseCell('cell-a', STAYS, knowledge, false)).toMatchObject({
    cell: 'cell-b',
    reason: 'pinned to cell-b',
  });
  expect(chooseCell('cell-a', GOES, knowledge, false)).toMatchObject({
    cell: 'cell-a',
    reason: 'pinned to cell-a',
  });
});

test('requests without a tenant go where the tenant of no name goes', () => {
  for (const share of [10, 50, 90]) {
    const record = { ...DRAINED, share };
    const choice = chooseCell('cell-a', '', knowing(record), false);
    expect(choice).toMatchObject({ cell: servedBy(record, '') });
  }
});

function reachable(cell: string | null, unreachable: string[], cells: string[]): boolean {
  return cell !== null && cells.includes(cell) && !unreachable.includes(cell);
}

const states = fc.constantFrom<CellState>('serving', 'failed-over', 'returning', 'drained');
const worlds = fc.record({
  record: fc.record({
    state: states,
    target: fc.constantFrom(...CELLS),
    epoch: fc.nat(),
    neighbour: fc.constantFrom(...CELLS, null),
    phase: fc.constantFrom<HealthRecord['phase']>('open', 'closing'),
    share: fc.constantFrom(0, 30, 100),
    shareBefore: fc.constantFrom(0, 30, 100),
    operation: fc.constantFrom(null, 2),
    pins: fc.constantFrom<HealthRecord['pins']>({}, { acme: { cell: 'cell-c', until: 1 } }),
  }),
  unreachable: fc.subarray(CELLS),
  cells: fc.subarray(CELLS),
  reading: fc.boolean(),
  standIn: fc.boolean(),
});

test('whatever the record, no third cell is ever chosen, nor one that is away or unknown', () => {
  fc.assert(
    fc.property(worlds, ({ record, unreachable, cells, reading, standIn }) => {
      const whole = { ...initialRecord('cell-a', null), ...record };
      // A router's own stand-in is the neighbour, and one it can reach.
      const own = standIn && reachable(whole.neighbour, unreachable, cells) ? whole.neighbour : null;
      const choice = chooseCell('cell-a', 'acme', knowing(whole, unreachable, cells, own), reading);
      if ('refusal' in choice) return;
      expect([whole.home, whole.neighbour]).toContain(choice.cell);
      expect(choice.role).toBe(choice.cell === 'cell-a' ? 'home' : 'guest');
      expect(unreachable).not.toContain(choice.cell);
      expect(cells).toContain(choice.cell);
    }),
  );
});

test('the same knowledge gives the same choice, and is left as it was', () => {
  fc.assert(
    fc.property(worlds, ({ record, unreachable, cells, reading }) => {
      const whole = Object.freeze({ ...initialRecord('cell-a', null), ...record });
      const knowledge = knowing(whole, unreachable, cells, whole.neighbour);
      expect(chooseCell('cell-a', 'acme', knowledge, reading)).toEqual(
        chooseCell('cell-a', 'acme', knowledge, reading),
      );
    }),
  );
});
