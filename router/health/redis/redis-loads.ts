// Loads in Redis: one key for each machine, which expires by itself. No script reads them.
import type { HomeLoad } from '../load.ts';
import type { RedisCalls } from './redis-calls.ts';
import type { Keys } from './redis-ledger.ts';
import { LOAD_TTL_MS } from '../store.ts';

/** More than ten thousand homes need. What is longer is cut, and can then not be read: anybody may have written it. */
const BYTES_MAX = 1_048_576;

/** Another meaning of the columns gets another number; a release that does not know it leaves that machine out. */
const VERSION = 1;

/** By column, rounded to hundredths: 23 KB for a thousand homes under load, read in 2 ms. */
export async function tellLoad(
  calls: RedisCalls,
  keys: Keys,
  router: string,
  loads: readonly HomeLoad[],
): Promise<void> {
  const column = (key: 'rps' | 'concurrency' | 'tunnels'): number[] =>
    loads.map((load) => Math.round(load[key] * 100) / 100);
  const text = JSON.stringify({
    version: VERSION,
    homes: loads.map(({ home }) => home),
    rps: column('rps'),
    concurrency: column('concurrency'),
    tunnels: column('tunnels'),
  });
  await calls.call(async (client) => await client.set(keys.load(router), text, 'PX', LOAD_TTL_MS));
}

/** The text that each machine told last, in their order; null: none, or something else was stored there. */
export async function toldLoads(
  calls: RedisCalls,
  keys: Keys,
  routers: readonly string[],
): Promise<(string | null)[]> {
  if (routers.length === 0) return [];
  const texts = await calls.call(async (client) => {
    const asked = routers.map(async (router) => {
      return await client.getrange(keys.load(router), 0, BYTES_MAX - 1).catch(noneIfAnotherType);
    });
    return await Promise.all(asked);
  });
  return texts.map((text) => (text === '' ? null : text));
}

function noneIfAnotherType(error: unknown): string {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return '';
  throw error;
}
