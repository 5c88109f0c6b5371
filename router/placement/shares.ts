// How many buckets each member is due, in exact integer arithmetic.
import type { Members } from './history.ts';

/**
 * Buckets per member, in order of name; they add up to `buckets`. Each is due floor(buckets · w / W), and what is left
 * goes one by one to the largest remainders (Hamilton's method). Between equal remainders the cell that now holds more
 * than its floor comes first, so that nothing moves without need; then the name decides.
 */
export function sharesOf(
  members: Members,
  buckets: number,
  held: ReadonlyMap<string, number>,
): Map<string, number> {
  const total = sum(members.values());
  const dues = [...members].map(([cell, weight]) => {
    // At most 65,536 · 1,000,000 and so exact; no division whose rounding could differ from the remainder's.
    const remainder = (buckets * weight) % total;
    const floor = (buckets * weight - remainder) / total;
    return { cell, floor, remainder, holdsMore: (held.get(cell) ?? 0) > floor };
  });
  const shares = new Map(dues.map(({ cell, floor }) => [cell, floor]));
  const left = buckets - sum(shares.values());
  // The sort is stable, so that cells which tie in both stay in order of name.
  const first = dues.toSorted(
    (a, b) => b.remainder - a.remainder || Number(b.holdsMore) - Number(a.holdsMore),
  );
  for (const { cell, floor } of first.slice(0, left)) shares.set(cell, floor + 1);
  return shares;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
