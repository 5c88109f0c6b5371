// The names of what a fleet keeps in Redis, and the count of its refusals per incident.
import { incidentEpochs } from '../verdicts/incident.ts';
import type { EventEntry } from '../record.ts';
import type { RedisCalls } from './redis-calls.ts';

/** All keys of a fleet share one hash tag, so that a Cluster keeps them together. */
export function keysOf(prefix: string) {
  const tag = `{${prefix}}`;
  const [routers, state, events] = [`${tag}:routers`, `${tag}:state`, `${tag}:events`];
  return {
    routers,
    events,
    channel: `${tag}:changes`,
    /** `KEYS` of every script. */
    shared: [routers, state, events],
    load: (router: string) => `${tag}:load:${router}`,
    ledger: (home: string, epoch: number) => `${tag}:refused:${home}:${epoch}`,
  };
}

export type Keys = ReturnType<typeof keysOf>;

/** The tenant-seconds of refusals for each event, in their order; null: none was told. */
export async function tenantSecondsOf(
  calls: RedisCalls,
  keys: Keys,
  events: readonly EventEntry[],
): Promise<(number | null)[]> {
  const ledgers = events.map((event) => incidentEpochs(event).map((epoch) => keys.ledger(event.cell, epoch)));
  const asked = ledgers.filter((names) => names.length > 0);
  if (asked.length === 0) return ledgers.map(() => null);
  const answers = await calls.call(async (client) => {
    const pipeline = client.pipeline();
    for (const names of asked) pipeline.pfcount(...names);
    return await pipeline.exec();
  });
  const counts = (answers ?? []).map(([, count]) => (typeof count === 'number' && count > 0 ? count : null));
  return ledgers.map((names) => (names.length === 0 ? null : (counts.shift() ?? null)));
}
