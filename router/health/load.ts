// What this router's own requests load each home with: measured over a short window, for all routers to add up.

/** What a cell carries. `Cell.capacity` has the same keys: how much of each it can carry. */
export type Load = {
  /** Requests a second. */
  rps: number;
  /** Requests inside a cell at once. */
  concurrency: number;
  /** Tunnels open at once. */
  tunnels: number;
};

/** The load that the tenants of one home make, whichever cell serves them. */
export type HomeLoad = Load & { home: string };

/** What was counted for one home so far: `requests` only ever grows, the others are of this moment. */
export type HomeCount = { home: string; requests: number; concurrency: number; tunnels: number };

/** Long enough that a rate says something, short enough to be called now. */
export const LOAD_WINDOW_MS = 10_000;

type Look = { atMs: number; counts: ReadonlyMap<string, HomeCount> };

/** The looks of the last ten seconds at what was counted. */
export class LoadWindow {
  readonly #looks: Look[] = [];

  /**
   * Takes a look, and answers the load of every home that has any: the mean rate over the window, and the most that any
   * look found inside. Null at the first look, which tells no rate yet. `atMs`: any monotonic clock.
   */
  look(atMs: number, counted: Iterable<HomeCount>): HomeLoad[] | null {
    const looks = this.#looks;
    const now = { atMs, counts: new Map([...counted].map((count) => [count.home, count])) };
    looks.push(now);
    // One look from before the window stays: rates are reckoned from it.
    while ((looks[1]?.atMs ?? atMs) <= atMs - LOAD_WINDOW_MS) looks.shift();
    const [oldest = now] = looks;
    if (oldest.atMs >= atMs) return null;
    const recent = looks.filter((look) => look.atMs > atMs - LOAD_WINDOW_MS);
    const seconds = (atMs - oldest.atMs) / 1000;
    const loads = [...now.counts.values()].map(({ home, requests }) => ({
      home,
      rps: (requests - (oldest.counts.get(home)?.requests ?? 0)) / seconds,
      concurrency: mostOf(recent, home, 'concurrency'),
      tunnels: mostOf(recent, home, 'tunnels'),
    }));
    return loads.filter(({ rps, concurrency, tunnels }) => rps + concurrency + tunnels > 0);
  }
}

function mostOf(looks: readonly Look[], home: string, key: 'concurrency' | 'tunnels'): number {
  return looks.reduce((most, { counts }) => Math.max(most, counts.get(home)?.[key] ?? 0), 0);
}
