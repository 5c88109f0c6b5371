// How many buckets each cell is the home of, while some have been cut over and others have not.
import { expect, test } from 'vitest';
import { BucketCounts, countBuckets } from '../../../router/count-buckets.ts';
import type { CutOvers } from '../../../router/find-home.ts';
import { initialRecord, type Moved } from '../../../router/health/record.ts';
import { buildPlacement } from '../../../router/placement/placement.ts';

const NAMES = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];
const placement = buildPlacement({
  cells: new Map(NAMES.map((cell) => [cell, { zone: null, weight: 1, neighbour: null }])),
  generations: [{ add: NAMES.slice(0, 3) }, { add: ['cell-d'] }],
  pins: new Map(),
  allowSharedNeighbour: false,
});

function knowing(moved: Record<string, Moved[]>): CutOvers {
  return {
    recordOf: (home) => ({ ...initialRecord(home, null), moved: moved[home] ?? [] }),
    knows: () => true,
    movedTenant: () => null,
    isOvertaken: () => false,
  };
}

const ALL: Moved = { buckets: [0, 65_535], to: 'cell-d', generation: 2 };

test('before any cut-over the old homes have them all', () => {
  expect(Object.fromEntries(countBuckets(placement, knowing({})))).toEqual({
    'cell-a': { owned: 21_846, moving: { 'cell-d': 5_462 } },
    'cell-b': { owned: 21_845, moving: { 'cell-d': 5_461 } },
    'cell-c': { owned: 21_845, moving: { 'cell-d': 5_461 } },
    'cell-d': { owned: 0, moving: {} },
  });
});

test('what was cut over is counted at its new home', () => {
  expect(Object.fromEntries(countBuckets(placement, knowing({ 'cell-a': [ALL] })))).toEqual({
    'cell-a': { owned: 16_384, moving: {} },
    'cell-b': { owned: 21_845, moving: { 'cell-d': 5_461 } },
    'cell-c': { owned: 21_845, moving: { 'cell-d': 5_461 } },
    'cell-d': { owned: 5_462, moving: {} },
  });
});

test('it is counted anew when something was moved; the weights of a beat may be some seconds old', () => {
  const counts = new BucketCounts();
  const ownedByD = (which: 'now' | 'lately', moves: number, moved: Record<string, Moved[]>) =>
    counts[which](placement, moves, knowing(moved)).get('cell-d')?.owned;
  expect(ownedByD('lately', 0, {})).toBe(0);
  expect(ownedByD('lately', 1, { 'cell-a': [ALL] })).toBe(0);
  expect(ownedByD('now', 0, { 'cell-a': [ALL] })).toBe(0);
  expect(ownedByD('now', 1, { 'cell-a': [ALL] })).toBe(5_462);
  expect(ownedByD('lately', 2, {})).toBe(5_462);
});
