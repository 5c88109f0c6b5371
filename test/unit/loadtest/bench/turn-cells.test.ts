// Containment in handovers, as it is counted from access logs tenant by tenant.
import { expect, test } from 'vitest';
import { tenantsAtThird, tenantsAtTwo } from '../../../../loadtest/bench/turn-cells.ts';
import type { Turn } from '../../../../loadtest/bench/turns.ts';
import type { Served } from '../../../../loadtest/stubs/stub-options.ts';

const TURN: Turn = {
  home: 'cell-a',
  losing: 'cell-a',
  gaining: 'cell-b',
  closingMs: 1_000,
  endMs: 1_050,
  outcome: 'open',
  untilMs: 2_000,
  waitingFor: [],
};

function line(cell: string, at: number, untilMs: number | null = at, tenant = 'acme'): Served {
  return { at, untilMs, tenant, method: 'GET', home: 'cell-a', role: 'home', epoch: 1, cell };
}

test('who goes from one cell to the other once was never at two', () => {
  const lines = [
    line('cell-a', 900),
    line('cell-a', 990, 1_040),
    line('cell-b', 1_060),
    line('cell-b', 1_500),
  ];
  expect(tenantsAtTwo(lines, [TURN])).toBe(0);
});

test('who is served by the losing cell after the gaining one had begun was at two, and counts once', () => {
  const lines = [line('cell-b', 1_060), line('cell-a', 1_070), line('cell-a', 1_080)];
  expect(tenantsAtTwo(lines, [TURN])).toBe(1);
});

test('what the losing cell is not done with counts, however early it began', () => {
  expect(tenantsAtTwo([line('cell-a', 500, 1_070), line('cell-b', 1_060)], [TURN])).toBe(1);
});

test('what has no end of its own counts by its beginning', () => {
  expect(tenantsAtTwo([line('cell-a', 500, null), line('cell-b', 1_060)], [TURN])).toBe(0);
});

test('each tenant is looked at alone: those who do not change stay where they are', () => {
  const lines = [line('cell-b', 1_060), line('cell-a', 1_070, 1_080, 'globex')];
  expect(tenantsAtTwo(lines, [TURN])).toBe(0);
});

test('from the next change of the home on nothing is counted', () => {
  expect(tenantsAtTwo([line('cell-b', 1_060), line('cell-a', 2_000)], [TURN])).toBe(0);
});

test('where it was undone, whoever was served by the gaining cell and by the losing one was at two', () => {
  const undone: Turn = { ...TURN, outcome: 'undone' };
  expect(tenantsAtTwo([line('cell-a', 1_500), line('cell-a', 1_700)], [undone])).toBe(0);
  expect(tenantsAtTwo([line('cell-b', 1_060), line('cell-a', 1_500)], [undone])).toBe(1);
  expect(tenantsAtTwo([line('cell-a', 1_060), line('cell-b', 1_500)], [undone])).toBe(1);
});

test('a third cell is any that may not serve the tenant, within the time that is looked at', () => {
  const span = { fromMs: 1_000, untilMs: 2_000 };
  const lines = [line('cell-c', 999), line('cell-c', 1_000), line('cell-c', 1_100), line('cell-b', 1_200)];
  expect(tenantsAtThird(lines, span, () => ['cell-a', 'cell-b'])).toBe(1);
});
