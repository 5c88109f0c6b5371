// Both stores decide the same: random histories go through both, and everything they answer is compared.
import { array, assert, asyncProperty, constantFrom, oneof, record, type Arbitrary } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInProcessStore } from '../../router/health/in-process-store.ts';
import type { HomeRule, Vote } from '../../router/health/record.ts';
import { createRedisStore } from '../../router/health/redis-store.ts';
import type { BeatReply, Store } from '../../router/health/store.ts';
import { DOWN, machineOf, SELF_DECLARED, UP, type Machine } from '../support/machine.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';

const RUNS = 300;
const CELLS = ['cell-a', 'cell-b', 'cell-c'];
const ROUTERS = ['r1', 'r2', 'r10'];
const VOTES: Vote[] = [
  UP,
  UP,
  DOWN,
  DOWN,
  { ...DOWN, reason: 'timed out' },
  { opinion: 'down', evidence: 'failing', reason: 'gateway errors' },
  SELF_DECLARED,
];

type Step =
  | { kind: 'beat' | 'restarted'; router: string; votes: Record<string, Vote>; afterMs: number }
  | { kind: 'leave'; router: string }
  | { kind: 'emptied' };

const router = constantFrom(...ROUTERS);
const vote = constantFrom(...VOTES);
const beat = record({
  kind: constantFrom<'beat' | 'restarted'>('beat', 'beat', 'beat', 'beat', 'beat', 'restarted'),
  router,
  votes: record({ 'cell-a': vote, 'cell-b': vote, 'cell-c': vote }, { requiredKeys: [] }),
  afterMs: constantFrom(-5_000, 0, 1, 300, 300, 900, 1_500, 3_000),
});
const step: Arbitrary<Step> = oneof(
  { weight: 20, arbitrary: beat },
  { weight: 1, arbitrary: record({ kind: constantFrom<'leave'>('leave'), router }) },
  { weight: 1, arbitrary: constantFrom<Step>({ kind: 'emptied' }) },
);
const neighbours = oneof(
  { weight: 3, arbitrary: constantFrom<(string | null)[]>(['cell-b', 'cell-c', 'cell-a']) },
  { weight: 1, arbitrary: array(constantFrom(...CELLS, null), { minLength: 3, maxLength: 3 }) },
);

let redis: RedisProcess;
let prefix = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

/** One of the two stores, and the machines that use it. */
type Side = { store: Store; machines: Map<string, Machine>; empty(): Promise<void> };

function machineIn(side: Side, id: string, homes: HomeRule[], minDwellMs: number): Machine {
  // The side's store of the moment: an emptied in-process store is another one.
  const store: Pick<Store, 'beat' | 'restore'> = {
    beat: async (one) => await side.store.beat(one),
    restore: async (records, revision) => await side.store.restore(records, revision),
  };
  const machine = side.machines.get(id) ?? machineOf(store, id, homes, minDwellMs);
  side.machines.set(id, machine);
  return machine;
}

/** What must be the same on both sides; each side names its incarnations by itself. */
function comparable(reply: BeatReply): object {
  const { incarnation: _, records, ...rest } = reply;
  return { ...rest, records: [...records].sort((a, b) => (a.home < b.home ? -1 : 1)) };
}

async function taken(side: Side, one: Step, homes: HomeRule[], minDwellMs: number): Promise<object | null> {
  if (one.kind === 'emptied') await side.empty();
  if (one.kind === 'leave') await side.store.leave(one.router);
  if (one.kind === 'emptied' || one.kind === 'leave') return null;
  if (one.kind === 'restarted') side.machines.delete(one.router);
  return comparable(await machineIn(side, one.router, homes, minDwellMs).beat(one.votes));
}

async function history(homes: HomeRule[], minDwellMs: number, steps: Step[]): Promise<number> {
  let now = 1_790_000_000_000;
  const clock = (): number => now;
  const tag = `agreement-${(prefix += 1)}`;
  const shared: Side = {
    store: createRedisStore({ url: redis.url, prefix: tag, now: clock }),
    machines: new Map(),
    empty: async () => void (await redis.command(`DEL {${tag}}:routers {${tag}}:state {${tag}}:events`)),
  };
  const own: Side = {
    store: createInProcessStore({ now: clock }),
    machines: new Map(),
    empty: async () => void (own.store = createInProcessStore({ now: clock })),
  };
  try {
    for (const one of steps) {
      if ('afterMs' in one) now += one.afterMs;
      expect(await taken(shared, one, homes, minDwellMs)).toEqual(await taken(own, one, homes, minDwellMs));
    }
    const [sharedEvents, ownEvents] = [await shared.store.events(1_000), await own.store.events(1_000)];
    expect(sharedEvents.map((event) => ({ ...event, id: '' }))).toEqual(
      ownEvents.map((event) => ({ ...event, id: '' })),
    );
    return ownEvents.length;
  } finally {
    await shared.store.close();
  }
}

test('the script and the pure decision agree over random histories', async () => {
  let events = 0;
  const histories = record({
    neighbours,
    minDwellMs: constantFrom(0, 300, 900, 1_800),
    steps: array(step, { minLength: 10, maxLength: 40, size: 'max' }),
    cells: constantFrom(1, 2, 3, 3),
  });
  await assert(
    asyncProperty(histories, async ({ neighbours, minDwellMs, steps, cells }) => {
      const homes = CELLS.slice(0, cells).map((home, i) => ({ home, neighbour: neighbours[i] ?? null }));
      events += await history(homes, minDwellMs, steps);
    }),
    { numRuns: RUNS },
  );
  // Histories in which nothing happens would agree about nothing.
  expect(events).toBeGreaterThan(RUNS);
});
