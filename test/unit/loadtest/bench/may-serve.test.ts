// Which cells may serve a tenant while changes are played.
import { expect, test } from 'vitest';
import { atBothHomes, atHomeAlone, atHomeOrNeighbour } from '../../../../loadtest/bench/may-serve.ts';
import { parseFleet } from '../../../../router/fleet/load.ts';

const cell = (port: number, neighbour: string) => ({ origin: `http://127.0.0.1:${port}`, neighbour });
const fleet = parseFleet(
  JSON.stringify({
    cells: { 'cell-a': cell(1, 'cell-b'), 'cell-b': cell(2, 'cell-c'), 'cell-c': cell(3, 'cell-a') },
    generations: [{ add: ['cell-a', 'cell-b'] }, { add: ['cell-c'] }],
    pins: { settled: 'cell-a', moving: { cell: 'cell-c', settled: false } },
  }),
  '.',
);

test('a tenant is served by its home or its neighbour, where nobody is away by its home alone', () => {
  expect(atHomeOrNeighbour(fleet)('settled')).toEqual(['cell-a', 'cell-b']);
  expect(atHomeAlone(fleet)('settled')).toEqual(['cell-a']);
});

test('what is cut over is served by the old home or by the new one', () => {
  expect(atBothHomes(fleet)('moving')).toContain('cell-c');
  expect(atBothHomes(fleet)('settled')).toEqual(['cell-a', 'cell-a']);
});
