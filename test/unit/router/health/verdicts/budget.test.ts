// How many cells may be failed over by verdict at once.
import { expect, test } from 'vitest';
import type { HealthRecord, HomeRule, Vote } from '../../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, UP } from '../../../../support/machine.ts';
import { decided, everyone, type Situation } from '../../../../support/verdict.ts';

const CELLS = ['cell-a', 'cell-b', 'cell-c', 'cell-d', 'cell-e', 'cell-f'];
const SIX = homesOf(...CELLS);

function votesOf(...down: string[]): Record<string, Vote>[] {
  return everyone(Object.fromEntries(CELLS.map((cell) => [cell, down.includes(cell) ? DOWN : UP])));
}

/** Which homes go, and why others stay. */
function outcome(down: string[], situation: Partial<Situation> = {}) {
  const { changed, held } = decided({ homes: SIX, votes: votesOf(...down), ...situation });
  const gone = changed
    .filter(({ state }) => state === 'failed-over')
    .map(({ home, target }) => [home, target]);
  return { gone, held: Object.fromEntries(held) };
}

const inZones = (...zones: (string | null)[]): HomeRule[] =>
  SIX.map((rule, i) => ({ ...rule, zone: zones[i % zones.length] ?? null }));

test('one cell may always be failed over, whatever it weighs', () => {
  expect(outcome(['cell-a'], { maxFailedOver: 0 }).gone).toEqual([['cell-a', 'cell-b']]);
});

test('several may while they are within the ratio of the weight', () => {
  expect(outcome(['cell-a', 'cell-c'], { maxFailedOver: 0.34 }).gone).toHaveLength(2);
  expect(outcome(['cell-a', 'cell-c'], { maxFailedOver: 0.33 })).toEqual({
    gone: [['cell-a', 'cell-b']],
    held: { 'cell-c': 'budget' },
  });
});

test('the weight is that of the buckets', () => {
  const homes = SIX.map((rule) => ({ ...rule, buckets: rule.home === 'cell-c' ? 500 : 100 }));
  expect(outcome(['cell-a', 'cell-c', 'cell-e'], { homes })).toEqual({
    gone: [
      ['cell-a', 'cell-b'],
      ['cell-e', 'cell-f'],
    ],
    held: { 'cell-c': 'budget' },
  });
});

test('a whole zone may fail over', () => {
  const down = ['cell-a', 'cell-c', 'cell-e'];
  expect(outcome(down, { homes: inZones('az-1', 'az-2') }).gone).toHaveLength(3);
});

test('a zone and one cell more may not', () => {
  const down = ['cell-a', 'cell-c', 'cell-e'];
  const homes = inZones('az-1', 'az-2').map((rule) => ({
    ...rule,
    zone: rule.home === 'cell-e' ? 'az-2' : rule.zone,
  }));
  expect(outcome(down, { homes }).held).toEqual({ 'cell-e': 'budget' });
});

test.each([
  ['one zone alone', inZones('az-1')],
  ['no zones', inZones(null)],
])('the whole fleet is no zone: with %s the ratio binds', (_, homes) => {
  expect(outcome(['cell-a', 'cell-c', 'cell-e'], { homes }).held).toEqual({ 'cell-e': 'budget' });
});

test('cells that are away already count', () => {
  const records = [awayRecord('cell-a', 'cell-b', 2), awayRecord('cell-c', 'cell-d', 2)];
  expect(outcome(['cell-a', 'cell-c', 'cell-e'], { records }).held).toEqual({ 'cell-e': 'budget' });
});

test('forced failovers and drains do not count', () => {
  const forced: HealthRecord = { ...awayRecord('cell-a', 'cell-b', 2), cause: 'operator', deadline: 1e9 };
  const drained: HealthRecord = { ...awayRecord('cell-c', 'cell-d', 2), state: 'drained' };
  const options = { records: [forced, drained], maxFailedOver: 0 };
  expect(outcome(['cell-e'], options).gone).toEqual([['cell-e', 'cell-f']]);
});

test('a cell whose neighbour is down as well counts no more: its neighbour goes to its own', () => {
  const records = [awayRecord('cell-a', 'cell-b', 2)];
  const { gone } = outcome(['cell-a', 'cell-b'], { records, maxFailedOver: 0 });
  expect(gone).toEqual([['cell-b', 'cell-c']]);
});

test('a cell and its neighbour that die together: the neighbour goes to its own, the cell is held', () => {
  expect(outcome(['cell-a', 'cell-b'], { maxFailedOver: 0 })).toEqual({
    gone: [['cell-b', 'cell-c']],
    held: { 'cell-a': 'no-target' },
  });
});
