// The assignment behind the neighbours, held against every possible assignment.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign } from '../../../../router/placement/assignment.ts';

/** The least total cost over all ways to give each row a column of its own. */
function leastCost(costs: readonly (readonly number[])[], taken: readonly number[] = []): number {
  const [row, ...rest] = costs;
  if (row === undefined) return 0;
  const totals = row.map((cost, column) =>
    taken.includes(column) ? Infinity : cost + leastCost(rest, [...taken, column]),
  );
  return Math.min(...totals);
}

const tables = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 2 }))
  .chain(([rows, spare]) => {
    const cost = fc.oneof(
      { weight: 6, arbitrary: fc.nat(9) },
      { weight: 1, arbitrary: fc.constant(Infinity) },
    );
    const row = fc.array(cost, { minLength: rows + spare, maxLength: rows + spare });
    const wishes = fc.array(fc.integer({ min: -1, max: rows + spare - 1 }), {
      minLength: rows,
      maxLength: rows,
    });
    return fc.record({
      costs: fc.array(row, { minLength: rows, maxLength: rows }),
      // As with neighbours: no column is wished for twice.
      wish: wishes.map((wish) => wish.map((column, row) => (wish.indexOf(column) === row ? column : -1))),
    });
  });

test('an assignment costs as little as the best of all, or is refused where there is none', () => {
  const property = fc.property(tables, ({ costs, wish }) => {
    const columns = costs[0]?.length ?? 0;
    const cost = (row: number, column: number): number => costs[row]?.[column] ?? Infinity;
    const least = leastCost(costs);
    if (least === Infinity) {
      expect(() => assign(columns, wish, cost)).toThrow(RangeError);
      return;
    }
    const chosen = assign(columns, wish, cost);
    expect(new Set(chosen).size).toBe(costs.length);
    expect(chosen.reduce((sum, column, row) => sum + cost(row, column), 0)).toBe(least);
  });
  fc.assert(property, { numRuns: 3_000 });
});
