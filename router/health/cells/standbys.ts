// What cells say of the standbys that they hold, kept for the homes that a cell is the neighbour of, or is to become it.
import { z } from 'zod';
import type { Placement } from '../../placement/placement.ts';
import type { HealthView } from '../view.ts';

/** As at its last contact with the home; a cell that does not know a lag tells none. */
const lag = z.number().min(0).nullable().default(null);

const standby = z.object({
  state: z.enum(['synced', 'copying', 'broken']),
  lagBytes: lag,
  lagSeconds: lag,
});

/** The copy of a home's data that its neighbour holds, by the neighbour's own word (contract level 2). */
export type Standby = z.infer<typeof standby>;

/**
 * A cell may say what it likes: only homes whose neighbour it is, by the record in force or by the fleet file, are looked
 * at, so that there are never more than two standbys a home.
 */
export class Standbys {
  readonly #view: Pick<HealthView, 'rulesFor'>;
  /** Cell → the homes that it is the neighbour of by the fleet file. */
  #declared = new Map<string, string[]>();
  /** By cell and home. */
  readonly #told = new Map<string, Map<string, Standby>>();

  constructor(view: Pick<HealthView, 'rulesFor'>) {
    this.#view = view;
  }

  setPlacement(placement: Pick<Placement, 'cells' | 'neighbourOf'>): void {
    this.#declared = new Map();
    for (const home of placement.cells) {
      const neighbour = placement.neighbourOf(home);
      if (neighbour === null) continue;
      this.#declared.set(neighbour, [...(this.#declared.get(neighbour) ?? []), home]);
    }
  }

  /** The cell's health answer told this of its standbys, by home. What is malformed is none. */
  hear(cell: string, told: Readonly<Record<string, unknown>>): void {
    const read = new Map<string, Standby>();
    for (const home of this.#homesOf(cell)) {
      const { data } = standby.safeParse(Object.hasOwn(told, home) ? told[home] : undefined);
      if (data !== undefined) read.set(home, data);
    }
    this.#told.set(cell, read);
  }

  /** Nothing that it said counts any more. */
  forget(cell: string): void {
    this.#told.delete(cell);
  }

  /** The standby of `home` at `cell`; null: it told of none. */
  of(cell: string, home: string): Standby | null {
    return this.#told.get(cell)?.get(home) ?? null;
  }

  /** The homes whose standby at the cell is synced. */
  syncedAt(cell: string): string[] {
    return this.#homesOf(cell).filter((home) => this.of(cell, home)?.state === 'synced');
  }

  /** In the order of their names: all machines are to say the same in the same words. */
  #homesOf(cell: string): string[] {
    const inForce = this.#view.rulesFor(cell).map(({ home }) => home);
    const homes = new Set([...(this.#declared.get(cell) ?? []), ...inForce]);
    homes.delete(cell);
    return [...homes].sort();
  }
}
