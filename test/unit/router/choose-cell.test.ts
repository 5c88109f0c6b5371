// Who serves a home's tenants: the home, its one neighbour, or nobody.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseCell, type Knowledge } from '../../../router/choose-cell.ts';
import { initialRecord, type CellState, type HealthRecord } from '../../../router/health/record.ts';
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
  expect(chooseCell('cell-a', knowing(HOME), false)).toEqual({
    cell: 'cell-a',
    role: 'home',
    home: 'cell-a',
    epoch: 1,
    reason: 'home is serving',
  });
});

test('the tenants of a failed-over home are guests of its neighbour', () => {
  expect(chooseCell('cell-a', knowing(AWAY), false)).toEqual({
    cell: 'cell-b',
    role: 'guest',
    home: 'cell-a',
    epoch: 4,
    reason: 'home failed-over: unreachable',
  });
});

test('a failed-over home that can be reached again still is not used', () => {
  expect(chooseCell('cell-a', knowing(AWAY, []), false)).toMatchObject({ cell: 'cell-b' });
});

test('an unreachable home without a verdict is a refusal: one router’s own word moves nobody', () => {
  expect(chooseCell('cell-a', knowing(HOME, ['cell-a']), false)).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 1,
    reason: 'cell-a is unreachable',
  });
});

test('home and neighbour both down is a refusal: failover does not chain', () => {
  expect(chooseCell('cell-a', knowing(AWAY, ['cell-a', 'cell-b']), false)).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 4,
    reason: 'cell-a is failed-over, and its neighbour cell-b is unreachable',
  });
});

test('a record that names a third cell is not followed', () => {
  expect(chooseCell('cell-a', knowing({ ...AWAY, target: 'cell-c' }), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: 'the record of cell-a names a third cell',
  });
});

test('a cell that is not in the fleet serves nobody', () => {
  expect(chooseCell('cell-a', knowing(AWAY, [], ['cell-a']), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: "cell-b is not in this router's fleet",
  });
});

const alone = (unreachable: string[]): Knowledge => knowing(HOME, unreachable, CELLS, 'cell-b');

test('with a stand-in of its own a router sends reads there while it can not reach their home', () => {
  expect(chooseCell('cell-a', alone(['cell-a']), true)).toEqual({
    cell: 'cell-b',
    role: 'guest',
    home: 'cell-a',
    epoch: 1,
    reason: 'no store, cell-a is unreachable: reads only',
  });
});

test('it sends no writes there', () => {
  expect(chooseCell('cell-a', alone(['cell-a']), false)).toMatchObject({
    refusal: 'cell-unavailable',
    reason: 'cell-a is unreachable',
  });
});

test('it sends nothing there while the home can be reached', () => {
  expect(chooseCell('cell-a', alone([]), true)).toMatchObject({ cell: 'cell-a', role: 'home' });
});

test('for tenants that are away on a verdict it asks for no stand-in: there is no third cell', () => {
  const knowledge = knowing(AWAY, ['cell-b'], CELLS, 'cell-a');
  expect(chooseCell('cell-a', knowledge, true)).toMatchObject({ refusal: 'cell-unavailable' });
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
      const choice = chooseCell('cell-a', knowing(whole, unreachable, cells, own), reading);
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
      expect(chooseCell('cell-a', knowledge, reading)).toEqual(chooseCell('cell-a', knowledge, reading));
    }),
  );
});
