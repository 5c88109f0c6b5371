// Routers that are cut off from the store alone, by dropped packets: they go on by what they know, and are not counted.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answersFor,
  expectOthersUntroubled,
  forceFailover,
  gaugeOf,
  loadOf,
  rowOf,
  untilServedFrom,
  type Asked,
} from '../support/fault-checks.ts';
import { ROUTERS, startFaultNetwork, STORE, type FaultNetwork } from '../support/fault-network.ts';
import { canMakeNetworks } from '../support/netns.ts';
import { until } from '../support/wait.ts';

const LOST = 'cell-b';
const LOST_LATER = 'cell-d';

let fleet: FaultNetwork | undefined;

beforeAll(async () => {
  if (canMakeNetworks()) fleet = await startFaultNetwork();
});

afterAll(async () => await fleet?.stop());

async function untilLive(count: number, routers: readonly Asked[]): Promise<void> {
  await until(`${count} routers are live`, async () => {
    const counts = await Promise.all(routers.map((router) => gaugeOf(router, 'cellgate_live_routers')));
    return counts.every((live) => live === count);
  });
}

/** A failover by hand, and the way back: from then on the store has a record of the home, and every router knows it. Answers its epoch. */
async function makeKnown(home: string, routers: readonly Asked[]): Promise<number> {
  const [router] = routers;
  if (router === undefined) throw new Error('no router');
  expect(await forceFailover(router, home, 1)).toBe(200);
  let epochs: number[] = [];
  await until('it is over at every router', async () => {
    const rows = await Promise.all(routers.map((one) => rowOf(one, home)));
    epochs = rows.map(({ epoch }) => epoch);
    return rows.every(({ state, phase, epoch }) => state === 'serving' && phase === 'open' && epoch > 1);
  });
  expect(new Set(epochs).size).toBe(1);
  return Math.max(...epochs);
}

test.runIf(canMakeNetworks())(
  'a router cut off from the store serves by its last records, is not counted, and catches up when healed',
  async () => {
    if (fleet === undefined) throw new Error('no fleet');
    const { network, routers } = fleet;
    const [cutOff] = routers.slice(-1);
    const [host = ''] = ROUTERS.slice(-1);
    if (cutOff === undefined) throw new Error('no router');
    const others = routers.slice(0, -1);
    await untilLive(3, routers);
    // Of a home that the store never told of, even this router would learn from the cells.
    const epoch = await makeKnown(LOST, routers);
    const load = loadOf(routers);
    network.partition(host, STORE);
    await untilLive(2, others);
    await until(
      'the router misses the store',
      async () => (await gaugeOf(cutOff, 'cellgate_store_up')) === 0,
    );
    for (const home of ['cell-a', 'cell-b', 'cell-c', 'cell-d']) {
      expect(await answersFor(home, [cutOff])).toEqual([`200 ${home}`]);
    }

    fleet.killCell(LOST);
    await untilServedFrom(LOST, 'cell-c', others);
    expect(await answersFor(LOST, others)).toEqual(['200 cell-c']);
    await until('the router finds it down', async () => (await rowOf(cutOff, LOST)).opinion === 'down');
    expect(await rowOf(cutOff, LOST)).toMatchObject({ state: 'serving', target: LOST, epoch });
    expect(await answersFor(LOST, [cutOff])).toEqual(['503 cell-unavailable']);

    network.heal();
    await untilLive(3, routers);
    await untilServedFrom(LOST, 'cell-c', routers);
    expect(await answersFor(LOST, routers)).toEqual(['200 cell-c']);
    expect((await rowOf(cutOff, LOST)).epoch).toBe(epoch + 1);
    await expectOthersUntroubled(load, [LOST]);
  },
);

test.runIf(canMakeNetworks())(
  'where the majority is cut off from the store, the one router that is not decides alone, and the others learn it when healed',
  async () => {
    if (fleet === undefined) throw new Error('no fleet');
    const { network, routers } = fleet;
    const [alone, ...cutOff] = routers;
    if (alone === undefined) throw new Error('no router');
    await untilLive(3, routers);
    const epoch = await makeKnown(LOST_LATER, routers);
    for (const host of ROUTERS.slice(1)) network.partition(host, STORE);
    await untilLive(1, [alone]);
    fleet.killCell(LOST_LATER);
    await untilServedFrom(LOST_LATER, 'cell-a', [alone]);
    expect(await answersFor(LOST_LATER, [alone])).toEqual(['200 cell-a']);
    for (const router of cutOff) {
      await until(
        'the router finds it down',
        async () => (await rowOf(router, LOST_LATER)).opinion === 'down',
      );
      expect(await rowOf(router, LOST_LATER)).toMatchObject({ state: 'serving', epoch });
      expect(await answersFor('cell-a', [router])).toEqual(['200 cell-a']);
    }

    network.heal();
    await untilServedFrom(LOST_LATER, 'cell-a', routers);
    expect(await answersFor(LOST_LATER, routers)).toEqual(['200 cell-a']);
    for (const router of routers) expect((await rowOf(router, LOST_LATER)).epoch).toBe(epoch + 1);
  },
);
