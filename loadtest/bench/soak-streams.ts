// WebSockets and event streams that stay open all the time: how each ended, and whether anything explains it. Pure.
import type { Tenant } from './soak-fleet.ts';
import type { Weather } from './soak-weather.ts';
import type { StreamClients } from './stream-clients.ts';

export type StreamCounts = {
  /** Kind and how it ended, or why it was refused → how often. */
  all: Record<string, number>;
  /** Of these what no lost or moving cell explains. */
  wrong: Record<string, number>;
};

/** A handover spreads the ends of its streams, and each has a while to say goodbye. */
const LATE_MS = 5_000;

/** A stream ends in good order where its tenant gets another cell; it is cut, or refused, where a cell is lost. */
export function judgeStreams(
  { ends, refusals }: Pick<StreamClients, 'ends' | 'refusals'>,
  tenants: readonly Tenant[],
  weather: Weather,
): StreamCounts {
  const homes = new Map(tenants.map(({ tenant, home }) => [tenant, home]));
  const counts: StreamCounts = { all: {}, wrong: {} };
  for (const { tenant, kind, how, atMs } of ends) {
    const home = homes.get(tenant) ?? '';
    const span = [home, atMs - LATE_MS, atMs] as const;
    const explained = how === 'cut' ? weather.mayFail(...span) : weather.mayBeAway(...span);
    count(counts, `${kind}, ${how}`, explained);
  }
  for (const { home, startedAtMs, endedAtMs, error } of refusals) {
    count(counts, `refused: ${error}`, weather.mayFail(home, startedAtMs, endedAtMs));
  }
  return counts;
}

function count({ all, wrong }: StreamCounts, words: string, explained: boolean): void {
  all[words] = (all[words] ?? 0) + 1;
  if (!explained) wrong[words] = (wrong[words] ?? 0) + 1;
}
