// The ketama ring: in which order a bucket prefers the cells.
import HashRing from 'hashring';
import { xxh32 } from './hash.ts';
import type { Members } from './history.ts';

/** Digests per cell of average weight; each gives four points, which makes ketama's 160. */
const DIGESTS_PER_CELL = 40;
const POINTS_PER_DIGEST = 4;

/**
 * How far into a bucket's order the first look goes, and how much further each next one: hashring walks and compares
 * for every cell it lists, so that a full list of 1,000 cells costs milliseconds. Measured: the least time of four.
 */
const FIRST_LOOK = 1;
const LOOK_GROWTH = 8;

/** An immutable ring of some of the members. */
export class Ring {
  /** How many cells are on the ring. */
  readonly size: number;
  readonly #ring: HashRing;

  /**
   * A ring of `cells`, each with as many points as on the ring of all `members`: the order of two cells is therefore
   * the same on every ring that has both, and a ring of a few answers quickly.
   */
  constructor(members: Members, cells: readonly string[]) {
    this.size = cells.length;
    this.#ring = new HashRing(digestsPerCell(members, cells), digest, { 'vnode count': 0 });
  }

  /** The first cell in the bucket's order of preference that is `wanted`, or null. */
  first(bucket: number, wanted: (cell: string) => boolean): string | null {
    const key = String(bucket);
    let seen = 0;
    for (let look = FIRST_LOOK; seen < this.size; look *= LOOK_GROWTH) {
      const order = this.#ring.range(key, Math.min(look, this.size));
      const cell = order.find((cell, index) => index >= seen && wanted(cell));
      if (cell !== undefined) return cell;
      seen = order.length;
    }
    return null;
  }
}

/**
 * hashring's own scaling of weights leaves a very light cell without a point and rounds in floating point (39 digests
 * for one of 49 equal cells); given as `vnodes` (with a default that no cell has) the numbers are taken as they are.
 */
function digestsPerCell(members: Members, cells: readonly string[]): Record<string, { vnodes: number }> {
  let total = 0;
  for (const weight of members.values()) total += weight;
  return Object.fromEntries(
    cells.map((cell) => {
      const scaled = DIGESTS_PER_CELL * members.size * (members.get(cell) ?? 0);
      return [cell, { vnodes: Math.max(1, (scaled - (scaled % total)) / total) }];
    }),
  );
}

const scratch = Buffer.alloc(4 * POINTS_PER_DIGEST);

/**
 * The digest of a point (`<cell>-<i>`) or a bucket (`<number>`), in place of md5: XXH32 with seeds 0–3, which hashring
 * reads as four little-endian numbers before it asks again. Of a bucket it reads the first alone, so the others are
 * spared. A tenth of md5's time there, and allowed on machines whose policy forbids md5.
 */
function digest(key: string): Buffer {
  const seeds = key.includes('-') ? POINTS_PER_DIGEST : 1;
  for (let seed = 0; seed < seeds; seed += 1) {
    scratch.writeUInt32LE(xxh32(key, seed), 4 * seed);
  }
  return scratch;
}
