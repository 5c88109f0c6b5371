// Both stores quarantine the same tenants: random histories go through both, and everything they answer is compared.
import { assert, asyncProperty } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInProcessStore } from '../../router/health/in-process/in-process-store.ts';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import { byTenant } from '../../router/health/verdicts/quarantine.ts';
import type { BeatReply, Store } from '../../router/health/store.ts';
import { homesOf, machineOf, type Machine } from '../support/machine.ts';
import { quarantineHistories, type QuarantineTurn } from '../support/quarantine-histories.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';

const RUNS = 200;
const START_MS = 1_790_000_000_000;
const HOMES = homesOf('cell-a', 'cell-b', 'cell-c');

let redis: RedisProcess;
let prefix = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

/** One store with its machines, and a clock of its own that both worlds set alike. */
class QuarantineWorld {
  readonly #open: (now: () => number) => Store;
  readonly #empty: () => Promise<void>;
  readonly #machines = new Map<string, Machine>();
  #now = START_MS;
  store: Store;

  constructor(open: (now: () => number) => Store, empty: () => Promise<void>) {
    this.#open = open;
    this.#empty = empty;
    this.store = open(() => this.#now);
  }

  async take(turn: QuarantineTurn): Promise<unknown> {
    if (turn.kind === 'emptied') {
      await this.#empty();
      await this.store.close();
      this.store = this.#open(() => this.#now);
      return null;
    }
    const said = { actor: 'ada', reason: 'a "drill"', owner: 'core' };
    if (turn.kind === 'quarantine') return await this.store.quarantine({ ...turn, ...said });
    if (turn.kind === 'unquarantine') return await this.store.unquarantine({ ...turn, ...said });
    this.#now += turn.afterMs;
    const machine = this.#machine(turn.router);
    machine.accusations = turn.accusations;
    return comparable(await machine.beat(turn.votes));
  }

  #machine(id: string): Machine {
    const store: Pick<Store, 'beat' | 'restore'> = {
      beat: async (one) => await this.store.beat(one),
      restore: async (...all) => await this.store.restore(...all),
    };
    const machine = this.#machines.get(id) ?? machineOf(store, id, HOMES);
    this.#machines.set(id, machine);
    return machine;
  }
}

function comparable(reply: BeatReply): object {
  const { records, quarantine, ...rest } = { ...reply, incarnation: '' };
  const sorted = [...records].sort((a, b) => (a.home < b.home ? -1 : 1));
  return { ...rest, records: sorted, quarantine: quarantine?.sort(byTenant) };
}

async function agreedEvents(history: readonly QuarantineTurn[]): Promise<string[]> {
  const tag = `quarantine-${(prefix += 1)}`;
  const shared = new QuarantineWorld(
    (now) => createRedisStore({ url: redis.url, prefix: tag, now, warmUpMs: 0 }),
    async () => void (await redis.command('FLUSHALL')),
  );
  const own = new QuarantineWorld(
    (now) => createInProcessStore({ now }),
    async () => undefined,
  );
  try {
    for (const turn of history) expect(await shared.take(turn)).toEqual(await own.take(turn));
    const [ofShared, ofOwn] = await Promise.all([shared.store.events(1_000), own.store.events(1_000)]);
    expect(ofShared.map((event) => ({ ...event, id: '' }))).toEqual(
      ofOwn.map((event) => ({ ...event, id: '' })),
    );
    return ofOwn.flatMap(({ details }) => kindOf(details));
  } finally {
    await shared.store.close();
  }
}

function kindOf(details: Record<string, unknown> | null): string[] {
  const quarantine = details?.['quarantine'] as { what: string } | undefined;
  if (quarantine === undefined) return [];
  const saw = Object.keys(details ?? {}).find((key) => key !== 'quarantine') ?? 'nothing';
  return [`${quarantine.what} ${saw}`];
}

test('the scripts and the pure rules quarantine the same over random histories', async () => {
  const kinds = new Map<string, number>();
  await assert(
    asyncProperty(quarantineHistories, async (history) => {
      for (const kind of await agreedEvents(history)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }),
    { numRuns: RUNS },
  );
  // Histories in which nothing happens would agree about nothing.
  const all = ['added died', 'added failing', 'added nothing', 'removed nothing', 'expired nothing'];
  for (const kind of all) expect([kind, kinds.get(kind) ?? 0]).toSatisfy(isFrequent);
});

function isFrequent([, count]: [string, number]): boolean {
  return count > RUNS / 100;
}
