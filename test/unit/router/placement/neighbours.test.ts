// Neighbours: nobody stands in for itself, zones are mixed, and as few pairs as possible change.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  replay,
  type Generation,
  type PlacementInput,
  type Step,
} from '../../../../router/placement/history.ts';
import { neighboursOf } from '../../../../router/placement/neighbours.ts';
import { historyFaults } from '../../../../router/placement/placement.ts';
import { histories } from './histories.ts';

type Cells = PlacementInput['cells'];
type Pairs = ReadonlyMap<string, string>;
type Score = { within: number; changed: number };

/** `{ a: 'az-1' }` or, with an explicit neighbour, `{ a: 'az-1 → b' }`. */
function fleet(
  declared: Readonly<Record<string, string>>,
  generations: Generation[],
  allowSharedNeighbour = false,
) {
  const cells = Object.entries(declared).map(([cell, text]) => {
    const [zone = '', neighbour = null] = text.split(' → ');
    return [cell, { zone: zone === '' ? null : zone, weight: 1, neighbour }] as const;
  });
  return { cells: new Map(cells), generations, pins: new Map(), allowSharedNeighbour };
}

function neighbours(input: PlacementInput): Record<string, string> {
  expect(historyFaults(input)).toEqual([]);
  return Object.fromEntries(neighboursOf(input, replay(input)));
}

/** The members' pairs after the last of `steps`. */
function memberPairs(input: PlacementInput, steps: readonly Step[]): Pairs {
  const members = steps.at(-1)?.members;
  return new Map([...neighboursOf(input, steps)].filter(([cell]) => members?.has(cell)));
}

/** The members' pairs after each generation. */
function pairsByStep(input: PlacementInput): Pairs[] {
  const steps = replay(input);
  return steps.map((_, index) => memberPairs(input, steps.slice(0, index + 1)));
}

function zoneOf(cell: string, cells: Cells): string {
  return cells.get(cell)?.zone ?? '';
}

function scoreOf(pairs: Pairs, previous: Pairs, cells: Cells): Score {
  const all = [...pairs];
  return {
    within: all.filter(([cell, neighbour]) => zoneOf(cell, cells) === zoneOf(neighbour, cells)).length,
    changed: all.filter(([cell, neighbour]) => previous.get(cell) !== neighbour).length,
  };
}

/** The best score of all ways to give each of `homes` one of `standIns`, none twice and none its own. */
function bestScore(
  homes: string[],
  standIns: string[],
  fixed: Pairs,
  previous: Pairs,
  cells: Cells,
): Score | null {
  const [home, ...others] = homes;
  if (home === undefined) return scoreOf(fixed, previous, cells);
  let best: Score | null = null;
  for (const standIn of standIns.filter((cell) => cell !== home)) {
    const left = standIns.filter((cell) => cell !== standIn);
    const score = bestScore(others, left, new Map([...fixed, [home, standIn]]), previous, cells);
    if (score !== null && (best === null || compare(score, best) < 0)) best = score;
  }
  return best;
}

function compare(a: Score, b: Score): number {
  return a.within - b.within || a.changed - b.changed;
}

test('each member stands in for exactly one other', () => {
  const property = fc.property(histories(100), (input) => {
    const last = replay(input).at(-1)?.members ?? new Map<string, number>();
    const pairs = memberPairs(input, replay(input));
    if (last.size === 1) {
      expect(pairs.size).toBe(0);
      return;
    }
    expect([...pairs.keys()].sort()).toEqual([...last.keys()]);
    expect([...pairs.values()].sort()).toEqual([...last.keys()]);
    expect([...pairs].filter(([cell, neighbour]) => cell === neighbour)).toEqual([]);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('a pair shares a zone only as often as the largest zone makes it unavoidable', () => {
  const property = fc.property(histories(100), (input) => {
    for (const pairs of pairsByStep(input)) {
      const zones = Map.groupBy(pairs.keys(), (cell) => zoneOf(cell, input.cells));
      const largest = Math.max(0, ...[...zones.values()].map((cells) => cells.length));
      const { within } = scoreOf(pairs, new Map(), input.cells);
      expect(within).toBe(Math.max(0, 2 * largest - pairs.size));
    }
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('a generation changes as few pairs as the zones allow', () => {
  const property = fc.property(histories(6), (input) => {
    let previous: Pairs = new Map();
    for (const pairs of pairsByStep(input)) {
      const members = [...pairs.keys()];
      if (previous.size > 0 && members.length > 0) {
        const best = bestScore(members, members, new Map(), previous, input.cells);
        expect(scoreOf(pairs, previous, input.cells)).toEqual(best);
      }
      previous = pairs;
    }
  });
  fc.assert(property, { numRuns: 500 });
});

test('explicit neighbours hold, and change as few other pairs as the zones allow', () => {
  const choices = fc.array(fc.option(fc.nat()), { minLength: 6, maxLength: 6 });
  const property = fc.property(histories(6), choices, fc.boolean(), (input, choices, shared) => {
    const computed = memberPairs(input, replay(input));
    const members = [...computed.keys()];
    const cells = new Map(input.cells);
    const explicit = new Map<string, string>();
    for (const [index, cell] of members.entries()) {
      const choice = choices[index] ?? null;
      const neighbour = choice === null ? undefined : members[choice % members.length];
      if (neighbour === undefined) continue;
      explicit.set(cell, neighbour);
      cells.set(cell, { zone: zoneOf(cell, cells), weight: 1, neighbour });
    }
    const wanted = { ...input, cells, allowSharedNeighbour: shared };
    fc.pre(historyFaults(wanted).length === 0);
    const pairs = memberPairs(wanted, replay(wanted));
    const homes = members.filter((cell) => !explicit.has(cell));
    const taken = [...explicit.values()];
    const standIns = members.filter((cell) => !taken.includes(cell));
    expect(new Map([...pairs].filter(([cell]) => explicit.has(cell)))).toEqual(explicit);
    expect(scoreOf(pairs, computed, cells)).toEqual(bestScore(homes, standIns, explicit, computed, cells));
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('the order of cells in the file and in its lists does not matter', () => {
  const property = fc.property(histories(40), (input) => {
    const generations = input.generations.map(({ add = [], ...generation }) => ({
      ...generation,
      add: add.toReversed(),
    }));
    const other = { ...input, cells: new Map([...input.cells].toReversed()), generations };
    expect(neighbours(other)).toEqual(neighbours(input));
  });
  fc.assert(property, { numRuns: 300 });
});

test('cells of one zone stand in along the order of names', () => {
  const input = fleet({ c: '', b: '', a: '' }, [{ add: ['b', 'c', 'a'] }]);
  expect(neighbours(input)).toEqual({ a: 'b', b: 'c', c: 'a' });
});

test('cells that are sorted by zone are interleaved', () => {
  const input = fleet({ a: 'az-1', b: 'az-1', c: 'az-2', d: 'az-2' }, [{ add: ['a', 'b', 'c', 'd'] }]);
  expect(neighbours(input)).toEqual({ a: 'c', c: 'b', b: 'd', d: 'a' });
});

test('two cells stand in for each other', () => {
  expect(neighbours(fleet({ a: '', b: '' }, [{ add: ['a', 'b'] }]))).toEqual({ a: 'b', b: 'a' });
});

test('the only cell has no neighbour, also after all others left', () => {
  const input = fleet({ a: '', b: '' }, [{ add: ['a', 'b'] }, { remove: ['b'] }]);
  expect(neighbours(input)).toEqual({ b: 'a' });
});

test('a new cell enters one pair and leaves the others as they are', () => {
  const input = fleet({ a: '', b: '', c: '', d: '' }, [{ add: ['a', 'b', 'c'] }, { add: ['d'] }]);
  expect(neighbours(input)).toEqual({ a: 'b', b: 'c', c: 'd', d: 'a' });
});

test('an explicit neighbour replaces a pair, and the others close up', () => {
  const input = fleet({ a: ' → c', b: '', c: '', d: '' }, [{ add: ['a', 'b', 'c', 'd'] }]);
  expect(neighbours(input)).toMatchObject({ a: 'c', c: 'd' });
});

test('with allowSharedNeighbour two cells may share one, and another stands in for nobody', () => {
  const input = fleet({ a: ' → d', b: ' → d', c: '', d: '' }, [{ add: ['a', 'b', 'c', 'd'] }], true);
  expect(Object.values(neighbours(input)).filter((cell) => cell === 'd')).toHaveLength(2);
});

test('a cell that left keeps the neighbour it had', () => {
  const input = fleet({ a: '', b: '', c: '', d: '' }, [{ add: ['a', 'b', 'c', 'd'] }, { remove: ['b'] }]);
  expect(neighbours(input)['b']).toBe('c');
});

test('a cell that left, and whose neighbour left later, gets that one’s last neighbour', () => {
  const input = fleet({ a: '', b: '', c: '', d: '' }, [
    { add: ['a', 'b', 'c', 'd'] },
    { remove: ['b'] },
    { remove: ['c'] },
  ]);
  expect(neighbours(input)['b']).toBe(neighbours(input)['c']);
});

test('cells that left together, each the other’s neighbour, get a member of another zone', () => {
  const input = fleet({ a: 'az-1', b: 'az-1', c: 'az-1', d: 'az-2' }, [
    { add: ['a', 'b'] },
    { add: ['c', 'd'], remove: ['a', 'b'] },
  ]);
  expect(neighbours(input)).toEqual({ a: 'd', b: 'd', c: 'd', d: 'c' });
});
