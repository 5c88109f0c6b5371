// Lines between single routers and single cells that are cut, slow or half open: who must notice, and who must not.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  answersFor,
  expectNoThirdCell,
  expectOthersUntroubled,
  failoversOf,
  loadOf,
  more,
  rowOf,
  untilCalm,
  untilServedFrom,
} from '../support/fault-checks.ts';
import { startFaultFleet, type FaultFleet } from '../support/fault-fleet.ts';
import type { ChaosMode } from '../../loadtest/stubs/chaos-proxy.ts';
import type { RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

const CELL = 'cell-a';
const [FIRST, SECOND] = [0, 1];

let fleet: FaultFleet;
let epoch: number;

beforeAll(async () => {
  fleet = await startFaultFleet({
    // Twice what the slow line takes and some: a busy machine must not look like a dead cell.
    env: { PROBE_TIMEOUT_MS: '600' },
    proxied: [
      [FIRST, CELL],
      [SECOND, CELL],
    ],
  });
});

beforeEach(async () => {
  await untilCalm(fleet);
  ({ epoch } = await rowOf(routerAt(FIRST), CELL));
});

afterEach(async () => {
  await lines('pass', FIRST, SECOND);
  expectNoThirdCell(fleet);
});

afterAll(async () => await fleet.stop());

function routerAt(index: number): RunningRouter {
  const router = fleet.routers[index];
  if (router === undefined) throw new Error(`no router ${index}`);
  return router;
}

async function lines(mode: ChaosMode, ...routers: number[]): Promise<void> {
  await Promise.all(routers.map((router) => fleet.proxy(router, CELL).mode(mode)));
}

async function untilOpinion(index: number, opinion: string): Promise<void> {
  await until(`router ${index} finds ${CELL} ${opinion}`, async () => {
    return (await rowOf(routerAt(index), CELL)).opinion === opinion;
  });
}

test('one router that loses a cell changes nothing for the others, and sends its own requests nowhere else', async () => {
  const others = fleet.routers.slice(1);
  const load = loadOf(others);
  await lines('black-hole', FIRST);
  await untilOpinion(FIRST, 'down');

  expect(await answersFor(CELL, [routerAt(FIRST)])).toEqual(['503 cell-unavailable']);
  expect(await answersFor(CELL, others)).toEqual([`200 ${CELL}`]);
  for (const router of fleet.routers) {
    expect(await rowOf(router, CELL)).toMatchObject({ state: 'serving', target: CELL, epoch });
  }
  await expectOthersUntroubled(load, []);
});

test('a line that is cut one way alone counts as lost, at that router alone', async () => {
  await lines({ cut: 'to-client' }, FIRST);
  await untilOpinion(FIRST, 'down');

  expect(await answersFor(CELL, fleet.routers.slice(1))).toEqual([`200 ${CELL}`]);
  for (const router of fleet.routers) expect((await rowOf(router, CELL)).epoch).toBe(epoch);
});

test('a majority that loses a cell moves its tenants, also at the router that still reaches it', async () => {
  const load = loadOf(fleet.routers);
  await lines('black-hole', FIRST, SECOND);
  await untilServedFrom(CELL, 'cell-b', fleet.routers);

  expect((await rowOf(routerAt(2), CELL)).opinion).toBe('up');
  expect(await answersFor(CELL, fleet.routers)).toEqual(['200 cell-b']);

  await lines('pass', FIRST, SECOND);
  await untilCalm(fleet);
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${CELL}`]);
  for (const router of fleet.routers) expect(await failoversOf(router, CELL, epoch)).toBe(1);
  await expectOthersUntroubled(load, [CELL]);
});

test('a line that resets whatever comes over it is lost at that router alone, and to a majority its cell is', async () => {
  const load = loadOf(fleet.routers);
  await lines('reset', FIRST);
  await untilOpinion(FIRST, 'down');
  expect(await answersFor(CELL, [routerAt(FIRST)])).toEqual(['503 cell-unavailable']);
  expect(await answersFor(CELL, fleet.routers.slice(1))).toEqual([`200 ${CELL}`]);
  for (const router of fleet.routers) expect((await rowOf(router, CELL)).epoch).toBe(epoch);

  await lines('reset', SECOND);
  await untilServedFrom(CELL, 'cell-b', fleet.routers);
  expect(await answersFor(CELL, fleet.routers)).toEqual(['200 cell-b']);
  await expectOthersUntroubled(load, [CELL]);
});

test('200 ms more one way change nothing but the time it takes', async () => {
  const load = loadOf(fleet.routers);
  await lines({ delayMs: 200, way: 'to-target' }, FIRST, SECOND);
  await more(load, 120);

  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${CELL}`]);
  for (const router of fleet.routers) {
    expect(await rowOf(router, CELL)).toMatchObject({ state: 'serving', epoch, opinion: 'up' });
  }
  await expectOthersUntroubled(load, []);
});

test('connections that are half open are found out, and new ones are made', async () => {
  const router = routerAt(FIRST);
  expect(await answersFor(CELL, [router])).toEqual([`200 ${CELL}`]);
  await lines({ halfOpen: 'target' }, FIRST);
  await untilOpinion(FIRST, 'down');
  await lines('pass', FIRST);
  await untilServedFrom(CELL, CELL, [router]);

  // Also what may not be sent again, and would fail on a stale connection.
  expect(await answersFor(CELL, [router], ['POST'])).toEqual([`200 ${CELL}`]);
  expect(await answersFor(CELL, [router])).toEqual([`200 ${CELL}`]);
  expect((await rowOf(router, CELL)).epoch).toBe(epoch);
});
