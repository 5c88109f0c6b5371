// The dealing, tried on random histories: exact shares, the fewest moves, one table per history.
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dealAll } from '../../../../router/placement/courses.ts';
import { countOf, deal, dealAgain } from '../../../../router/placement/deal.ts';
import { BUCKETS } from '../../../../router/placement/hash.ts';
import {
  replay,
  type Generation,
  type Members,
  type PlacementInput,
} from '../../../../router/placement/history.ts';
import { histories } from './histories.ts';

// A table of 65,536 buckets takes some 40 ms, one of 1,024 a few: thousands of histories are tried with the few.
const SCALES = [
  { histories: 500, maxCells: 10, buckets: 1_024 },
  { histories: 100, maxCells: 100, buckets: 1_024 },
  { histories: 5, maxCells: 100, buckets: BUCKETS },
];

/** Owner of each bucket after each generation. */
function ownersByStep(input: PlacementInput, buckets: number): string[][] {
  const tables: string[][] = [];
  for (const { members } of replay(input)) {
    const before = tables.at(-1);
    tables.push(before === undefined ? deal(members, buckets) : dealAgain(members, before));
  }
  return tables;
}

/** Largest remainder in BigInt, on its own: cell → floor and remainder · total weight. */
function exactShares(members: Members, buckets: number) {
  const total = [...members.values()].reduce((sum, weight) => sum + BigInt(weight), 0n);
  return [...members].map(([cell, weight]) => {
    const product = BigInt(buckets) * BigInt(weight);
    return { cell, product, total, floor: Number(product / total), remainder: product % total };
  });
}

/** The fewest buckets that any table with largest-remainder shares could move, given what each cell holds. */
function fewestMoves(held: ReadonlyMap<string, number>, members: Members, buckets: number): number {
  const shares = exactShares(members, buckets);
  const extra = buckets - shares.reduce((sum, { floor }) => sum + floor, 0);
  const threshold = shares.map(({ remainder }) => remainder).sort((a, b) => (a > b ? -1 : 1))[extra - 1];
  const surely = shares.filter(({ remainder }) => threshold !== undefined && remainder > threshold);
  const tied = shares.filter(({ remainder }) => remainder === threshold);
  const gain = (cell: string, floor: number): number => ((held.get(cell) ?? 0) > floor ? 1 : 0);
  const due = new Map(shares.map(({ cell, floor }) => [cell, floor]));
  for (const { cell, floor } of surely) due.set(cell, floor + 1);
  const given = [...held].reduce((sum, [cell, count]) => sum + Math.max(0, count - (due.get(cell) ?? 0)), 0);
  const saved = tied.reduce((sum, { cell, floor }) => sum + gain(cell, floor), 0);
  return given - Math.min(saved, extra - surely.length);
}

test.for(SCALES)('every cell is within one bucket of its exact share: %o', (scale) => {
  const property = fc.property(histories(scale.maxCells), (input) => {
    const tables = ownersByStep(input, scale.buckets);
    for (const [index, { members }] of replay(input).entries()) {
      const held = countOf(tables[index] ?? []);
      const outside = exactShares(members, scale.buckets).filter(({ cell, product, total }) => {
        const off = BigInt(held.get(cell) ?? 0) * total - product;
        return off <= -total || off >= total;
      });
      expect(outside).toEqual([]);
      expect([...held.keys()].filter((cell) => !members.has(cell))).toEqual([]);
    }
  });
  fc.assert(property, { numRuns: scale.histories });
});

test.for(SCALES)('each generation moves the fewest buckets possible: %o', (scale) => {
  const property = fc.property(histories(scale.maxCells), (input) => {
    const tables = ownersByStep(input, scale.buckets);
    for (const [index, { members }] of replay(input).entries()) {
      const before = tables[index - 1];
      if (before === undefined) continue;
      const moved = tables[index]?.filter((owner, bucket) => owner !== before[bucket]).length;
      expect(moved).toBe(fewestMoves(countOf(before), members, scale.buckets));
    }
  });
  fc.assert(property, { numRuns: scale.histories });
});

test('a home changes only in a settled generation that moves its bucket, and then to the new owner', () => {
  const property = fc.property(histories(30), (input) => {
    const steps = replay(input);
    const tables = steps.map((_, index) => dealAll(steps.slice(0, index + 1), 256));
    for (const [index, { settled }] of steps.entries()) {
      const [before, now] = [tables[index - 1], tables[index]];
      if (before === undefined || now === undefined) continue;
      const expected = now.owners.map((owner, bucket) =>
        settled && owner !== before.owners[bucket] ? owner : before.homes[bucket],
      );
      expect(now.homes).toEqual(expected);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('the order of cells in the file and in its lists does not matter', () => {
  const property = fc.property(histories(30), fc.infiniteStream(fc.nat()), (input, numbers) => {
    const shuffled = <T>(list: readonly T[]): T[] =>
      list
        .map((item) => ({ item, key: numbers.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ item }) => item);
    const generations = input.generations.map((generation): Generation => ({
      ...generation,
      add: shuffled(generation.add ?? []),
      remove: shuffled(generation.remove ?? []),
      reweight: Object.fromEntries(shuffled(Object.entries(generation.reweight ?? {}))),
    }));
    const other = { ...input, cells: new Map(shuffled([...input.cells])), generations };
    expect(dealAll(replay(other), 256)).toEqual(dealAll(replay(input), 256));
  });
  fc.assert(property, { numRuns: 300 });
});

function fleet(weights: Readonly<Record<string, number>>, generations: Generation[]): PlacementInput {
  const cells = Object.entries(weights).map(
    ([cell, weight]) => [cell, { zone: null, weight, neighbour: null }] as const,
  );
  return { cells: new Map(cells), generations, pins: new Map(), allowSharedNeighbour: false };
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `cell-${String(from + index).padStart(3, '0')}`);
}

const GOLDEN: [name: string, input: PlacementInput, sha256: string][] = [
  [
    'three equal cells',
    fleet({ 'cell-a': 1, 'cell-b': 1, 'cell-c': 1 }, [{ add: ['cell-a', 'cell-b', 'cell-c'] }]),
    '4f05a8ad131e334c649eaf40321eba8c0731fe8dee14f53f6ef42da5ecc7a83d',
  ],
  [
    'ten weighted cells that came and went',
    fleet(Object.fromEntries(numbered(0, 10).map((cell, index) => [cell, 0.5 + index * 0.375])), [
      { add: numbered(0, 7) },
      { add: numbered(7, 10), remove: numbered(2, 3) },
      { reweight: { 'cell-001': 3, 'cell-009': 0.125 }, settled: true },
      { remove: numbered(0, 1), add: numbered(2, 3) },
    ]),
    '1d04c48802e6529ce27bedb7adaf7753ba76cec5104c5e27315c470c4eb75543',
  ],
  [
    'a hundred cells',
    fleet(Object.fromEntries(numbered(0, 100).map((cell) => [cell, 1])), [{ add: numbered(0, 100) }]),
    '5994d654e52cb2f101910b5dfda1b7b6eb4d4fa2f381a822b71c3e71526cb031',
  ],
];

test.for(GOLDEN)('the table of %s never changes', ([, input, sha256]) => {
  const { owners } = dealAll(replay(input), BUCKETS);
  expect(createHash('sha256').update(owners.join('\n')).digest('hex')).toBe(sha256);
});

test.for([
  [3, 1.001],
  [10, 1.001],
  [65, 1.001],
  [1_000, 1.01],
] as const)('the fullest of %i equal cells holds at most %f times the mean', ([cells, limit]) => {
  const names = numbered(0, cells);
  const input = fleet(Object.fromEntries(names.map((cell) => [cell, 1])), [{ add: names }]);
  const counts = countOf(dealAll(replay(input), BUCKETS).owners);
  expect((Math.max(...counts.values()) * cells) / BUCKETS).toBeLessThanOrEqual(limit);
});

test('a cell too light for a single bucket is a member without one', () => {
  const input = fleet({ 'cell-a': 1_000, 'cell-b': 0.001 }, [{ add: ['cell-a', 'cell-b'] }]);
  expect(countOf(dealAll(replay(input), BUCKETS).owners)).toEqual(new Map([['cell-a', BUCKETS]]));
});

test('a new cell takes mostly the buckets that prefer it, from every other cell alike', () => {
  const names = numbered(0, 10);
  const grown = fleet(Object.fromEntries(names.map((cell) => [cell, 1])), [
    { add: names.slice(0, 9) },
    { add: names.slice(9) },
  ]);
  const [before = [], after = []] = ownersByStep(grown, BUCKETS);
  const losses = countOf(before.filter((owner, bucket) => owner !== after[bucket]));
  expect(Math.max(...losses.values()) - Math.min(...losses.values())).toBeLessThanOrEqual(1);
});
