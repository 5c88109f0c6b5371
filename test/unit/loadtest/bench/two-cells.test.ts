// Containment as it is counted from access logs.
import { expect, test } from 'vitest';
import { servedByThird, servedByTwo } from '../../../../loadtest/bench/two-cells.ts';
import type { Served } from '../../../../loadtest/stubs/stub-options.ts';

const WINDOW = { home: 'cell-a', fromMs: 100, untilMs: 200 };

function line(at: number, cell: string, tenant = 'acme', home = 'cell-a'): Served {
  const role = cell === home ? 'home' : 'guest';
  return { at, untilMs: at, tenant, method: 'GET', home, role, epoch: 1, cell };
}

const neighbourOf = (cell: string): string => (cell === 'cell-a' ? 'cell-b' : 'cell-a');

test('home and neighbour are no third cell, any other is', () => {
  expect(servedByThird([line(1, 'cell-a'), line(2, 'cell-b'), line(3, 'cell-c')], neighbourOf)).toBe(1);
});

test('tenants that go to the neighbour once were never at two cells', () => {
  expect(servedByTwo([line(110, 'cell-a'), line(120, 'cell-b'), line(130, 'cell-b')], [WINDOW])).toBe(0);
});

test('what the home serves after the neighbour has begun was served by two', () => {
  const lines = [line(120, 'cell-b'), line(130, 'cell-a'), line(140, 'cell-b'), line(150, 'cell-a')];
  expect(servedByTwo(lines, [WINDOW])).toBe(2);
});

test('before the fault and from the way home on nothing is counted', () => {
  expect(servedByTwo([line(90, 'cell-b'), line(110, 'cell-a'), line(200, 'cell-a')], [WINDOW])).toBe(0);
});

test('all tenants of a home move at once, and other homes are not looked at', () => {
  const lines = [
    line(110, 'cell-b', 'acme'),
    line(120, 'cell-a', 'globex'),
    line(130, 'cell-d', 'initech', 'cell-c'),
    line(140, 'cell-c', 'initech', 'cell-c'),
  ];
  expect(servedByTwo(lines, [WINDOW])).toBe(1);
});
