// The databases a cell has: its own, and the standby of each home that it is the neighbour of.
import type { Database } from './database.ts';

/** `role`: `home` is the cell's own database, `standby` that of its guests' home. */
export type HomeStore = { home: string; role: 'home' | 'standby'; url: string; database: Database };

export interface Homes {
  /** The database of the tenants of `home`; null where this cell has none. */
  of(home: string): HomeStore | null;
  all(): readonly HomeStore[];
}

export function homesOf(stores: readonly HomeStore[]): Homes {
  const byHome = new Map(stores.map((store) => [store.home, store]));
  return { of: (home) => byHome.get(home) ?? null, all: () => stores };
}
