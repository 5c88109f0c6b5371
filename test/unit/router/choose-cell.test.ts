// Who serves a home's tenants: the home, its one neighbour, or nobody.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseCell, type Knowledge } from '../../../router/choose-cell.ts';
import { initialRecord, type CellState, type HealthRecord } from '../../../router/health/record.ts';
import { awayRecord } from '../../support/machine.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c'];

function knowing(record: HealthRecord, unreachable: string[] = [], cells = CELLS): Knowledge {
  return {
    recordOf: () => record,
    isUnreachable: (cell) => unreachable.includes(cell),
    hasCell: (cell) => cells.includes(cell),
  };
}

const HOME = initialRecord('cell-a', 'cell-b');
const AWAY = awayRecord('cell-a', 'cell-b', 4);

test('a serving home serves its own tenants', () => {
  expect(chooseCell('cell-a', knowing(HOME))).toEqual({
    cell: 'cell-a',
    role: 'home',
    home: 'cell-a',
    epoch: 1,
    reason: 'home is serving',
  });
});

test('the tenants of a failed-over home are guests of its neighbour', () => {
  expect(chooseCell('cell-a', knowing(AWAY))).toEqual({
    cell: 'cell-b',
    role: 'guest',
    home: 'cell-a',
    epoch: 4,
    reason: 'home failed-over: unreachable',
  });
});

test('a failed-over home that can be reached again still is not used', () => {
  expect(chooseCell('cell-a', knowing(AWAY, []))).toMatchObject({ cell: 'cell-b' });
});

test('an unreachable home without a verdict is a refusal: one router’s own word moves nobody', () => {
  expect(chooseCell('cell-a', knowing(HOME, ['cell-a']))).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 1,
    reason: 'cell-a is unreachable',
  });
});

test('home and neighbour both down is a refusal: failover does not chain', () => {
  expect(chooseCell('cell-a', knowing(AWAY, ['cell-a', 'cell-b']))).toEqual({
    refusal: 'cell-unavailable',
    home: 'cell-a',
    epoch: 4,
    reason: 'cell-a is failed-over, and its neighbour cell-b is unreachable',
  });
});

test('a record that names a third cell is not followed', () => {
  expect(chooseCell('cell-a', knowing({ ...AWAY, target: 'cell-c' }))).toMatchObject({
    refusal: 'cell-unavailable',
    reason: 'the record of cell-a names a third cell',
  });
});

test('a cell that is not in the fleet serves nobody', () => {
  expect(chooseCell('cell-a', knowing(AWAY, [], ['cell-a']))).toMatchObject({
    refusal: 'cell-unavailable',
    reason: "cell-b is not in this router's fleet",
  });
});

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
});

test('whatever the record, no third cell is ever chosen, nor one that is away or unknown', () => {
  fc.assert(
    fc.property(worlds, ({ record, unreachable, cells }) => {
      const whole = { ...initialRecord('cell-a', null), ...record };
      const choice = chooseCell('cell-a', knowing(whole, unreachable, cells));
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
    fc.property(worlds, ({ record, unreachable, cells }) => {
      const whole = Object.freeze({ ...initialRecord('cell-a', null), ...record });
      const knowledge = knowing(whole, unreachable, cells);
      expect(chooseCell('cell-a', knowledge)).toEqual(chooseCell('cell-a', knowledge));
    }),
  );
});
