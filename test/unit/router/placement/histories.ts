// Random histories for the property tests: always without faults, from a handful of cells to a hundred.
import * as fc from 'fast-check';
import type { Generation, PlacementInput } from '../../../../router/placement/history.ts';

const weights = fc.oneof(
  { weight: 4, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5_000 }).map((thousandths) => thousandths / 1_000) },
  { weight: 1, arbitrary: fc.constantFrom(0.001, 1_000) },
);

const zones = fc.constantFrom(null, 'az-1', 'az-1', 'az-2', 'az-3');

/** What one generation draws: every number is taken modulo the cells that there are to choose from. */
const draws = fc.record({
  add: fc.array(fc.nat(), { maxLength: 3 }),
  remove: fc.array(fc.nat(), { maxLength: 3 }),
  reweight: fc.array(fc.tuple(fc.nat(), weights), { maxLength: 3 }),
  settled: fc.boolean(),
});
type Draw = typeof draws extends fc.Arbitrary<infer T> ? T : never;

/** Histories of up to five generations over 2 to `maxCells` declared cells, without pins or explicit neighbours. */
export function histories(maxCells: number): fc.Arbitrary<PlacementInput> {
  return fc
    .record({
      declared: fc.array(fc.record({ zone: zones, weight: weights }), { minLength: 2, maxLength: maxCells }),
      first: fc.nat(),
      later: fc.array(draws, { maxLength: 4 }),
    })
    .map(({ declared, first, later }) => {
      const names = declared.map((_, index) => `cell-${index}`);
      const cells = new Map(declared.map((cell, index) => [`cell-${index}`, { ...cell, neighbour: null }]));
      // At least half of the cells start, so that fleets of all sizes are dealt anew and not only grown.
      const start = Math.ceil(names.length / 2) + (first % (Math.floor(names.length / 2) + 1));
      const generations: Generation[] = [{ add: names.slice(0, start) }];
      let members = new Set(names.slice(0, start));
      for (const draw of later) {
        const generation = drawn(draw, names, members);
        if (generation === null) continue;
        generations.push(generation);
        members = new Set(
          [...members, ...generation.add].filter((cell) => !generation.remove.includes(cell)),
        );
      }
      return { cells, generations, pins: new Map(), allowSharedNeighbour: false };
    });
}

function drawn(draw: Draw, names: readonly string[], members: ReadonlySet<string>) {
  const add = pick(
    draw.add,
    names.filter((cell) => !members.has(cell)),
  );
  const leaving = pick(draw.remove, [...members]);
  const remove = leaving.slice(0, members.size + add.length - 1);
  const staying = [...members].filter((cell) => !remove.includes(cell));
  const reweight = Object.fromEntries(
    staying.length === 0
      ? []
      : draw.reweight.map(([number, weight]) => [staying[number % staying.length] ?? '', weight]),
  );
  const isEmpty = add.length + remove.length + Object.keys(reweight).length === 0;
  return isEmpty ? null : { add, remove, reweight, settled: draw.settled };
}

function pick(numbers: readonly number[], from: readonly string[]): string[] {
  return from.length === 0 ? [] : [...new Set(numbers.map((number) => from[number % from.length] ?? ''))];
}
