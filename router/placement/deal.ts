// Dealing the buckets: every member gets its exact share, and a later generation moves the fewest buckets possible.
import type { Members } from './history.ts';
import { Ring } from './ring.ts';
import { sharesOf } from './shares.ts';

/**
 * Bucket → owner in the first generation. The buckets are taken in order, and each goes to the first cell in its
 * order of preference that is still below its share.
 */
export function deal(members: Members, buckets: number): string[] {
  const takers = new Takers(members, sharesOf(members, buckets, new Map()));
  return Array.from({ length: buckets }, (_, bucket) => takers.take(bucket));
}

/**
 * Bucket → owner in a later generation. Cells above their new share (removed ones: with all they have) give up the
 * difference and cells below it receive, so that Σ max(0, held − share) buckets move and no more. First go the buckets
 * that prefer a receiving cell to their owner, then as many others as are still to go; each to the receiving cell it
 * prefers.
 */
export function dealAgain(members: Members, owners: readonly string[]): string[] {
  const held = countOf(owners);
  const shares = sharesOf(members, owners.length, held);
  const next = [...owners];
  const surplus = positive(held, (cell, count) => count - (shares.get(cell) ?? 0));
  if (surplus.size === 0) return next;
  const takers = new Takers(
    members,
    positive(shares, (cell, share) => share - (held.get(cell) ?? 0)),
  );
  const ring = new Ring(members, [...members.keys()]);
  const keepsOwner = (bucket: number, owner: string): boolean =>
    members.has(owner) && ring.first(bucket, (cell) => cell === owner || takers.hasRoom(cell)) === owner;
  for (const mayKeep of [keepsOwner, () => false]) {
    giveUp(next, surplus, mayKeep, takers);
  }
  return next;
}

/** How many buckets each cell has; a cell without any is absent. */
export function countOf(owners: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

function giveUp(
  owners: string[],
  surplus: Map<string, number>,
  mayKeep: (bucket: number, owner: string) => boolean,
  takers: Takers,
): void {
  for (const [bucket, owner] of owners.entries()) {
    if (!takers.anyRoom) return;
    const over = surplus.get(owner) ?? 0;
    if (over === 0 || mayKeep(bucket, owner)) continue;
    surplus.set(owner, over - 1);
    owners[bucket] = takers.take(bucket);
  }
}

function positive(
  counts: ReadonlyMap<string, number>,
  difference: (cell: string, count: number) => number,
): Map<string, number> {
  const differences = [...counts].map(([cell, count]): [string, number] => [cell, difference(cell, count)]);
  return new Map(differences.filter(([, difference]) => difference > 0));
}

/** The cells that still have room. */
class Takers {
  readonly #members: Members;
  readonly #room: Map<string, number>;
  #ring: Ring;

  constructor(members: Members, room: ReadonlyMap<string, number>) {
    this.#members = members;
    this.#room = new Map([...room].filter(([, buckets]) => buckets > 0));
    this.#ring = new Ring(members, [...this.#room.keys()]);
  }

  get anyRoom(): boolean {
    return this.#room.size > 0;
  }

  hasRoom(cell: string): boolean {
    return this.#room.has(cell);
  }

  /** Takes one bucket of room at the cell with room that the bucket prefers. */
  take(bucket: number): string {
    const cell = this.#ring.first(bucket, (cell) => this.#room.has(cell));
    if (cell === null) throw new RangeError('no cell has room: the shares do not add up');
    const left = (this.#room.get(cell) ?? 0) - 1;
    if (left > 0) this.#room.set(cell, left);
    else this.#fill(cell);
    return cell;
  }

  /** Once half of the ring is full, a ring of the others answers the same, and finds room at the first look. */
  #fill(cell: string): void {
    this.#room.delete(cell);
    if (this.#room.size > 0 && this.#room.size <= this.#ring.size / 2) {
      this.#ring = new Ring(this.#members, [...this.#room.keys()]);
    }
  }
}
