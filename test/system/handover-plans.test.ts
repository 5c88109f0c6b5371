// Planned changes of who serves whom, under load: drains, ways home, expiries, and a neighbour by the file. Nobody pays for them.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  answersFor,
  eventsOf,
  expectNoThirdCell,
  forceFailover,
  rowOf,
  statusOf,
  untilCalm,
  untilServedFrom,
} from '../support/fault-checks.ts';
import { startFaultFleet, type FaultFleet, type FileChange } from '../support/fault-fleet.ts';
import {
  auditSince,
  calmDown,
  crowdOf,
  drain,
  endDrain,
  expectUntroubled,
  more,
  operate,
  placementOf,
  restore,
  watchUnderLoad,
} from '../support/handover-checks.ts';
import type { RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

const CELL = 'cell-a';
const NEXT = 'cell-b';
/** Each has another neighbour by it but the last one. */
const OTHER_CIRCLE = { 'cell-a': 'cell-c', 'cell-c': 'cell-b', 'cell-b': 'cell-d', 'cell-d': 'cell-a' };

let fleet: FaultFleet;
let first: RunningRouter;
let epoch: number;

beforeAll(async () => {
  fleet = await startFaultFleet({ env: { HANDOVER_MS: '1500', HOLD_MS: '3000' } });
  const [router] = fleet.routers;
  if (router === undefined) throw new Error('no router');
  first = router;
});

beforeEach(async () => {
  await calmDown(fleet);
  ({ epoch } = await rowOf(first, CELL));
});

afterAll(async () => await fleet.stop());

/** Where each tenant was served, one cell after the other. */
function waysOf(home: string, fromMs: number): Map<string, string[]> {
  const tenants = crowdOf(placementOf(fleet.fileFor(0)), home).map(({ tenant }) => tenant);
  const lines = [CELL, NEXT].flatMap((id) => fleet.cell(id).served()).toSorted((a, b) => a.at - b.at);
  const ways = new Map<string, string[]>();
  for (const { tenant, cell, at } of lines) {
    if (at < fromMs || !tenants.includes(tenant)) continue;
    const way = ways.get(tenant) ?? [];
    if (way.at(-1) !== cell) ways.set(tenant, [...way, cell]);
  }
  return ways;
}

test('a drain there and back in steps fails nothing, and each tenant goes and comes back once', async () => {
  const watched = await watchUnderLoad(fleet);
  for (const percent of [10, 50, 100]) {
    expect(await drain(first, CELL, percent)).toMatchObject({
      status: 200,
      body: { phase: 'open', share: percent, cause: 'operator' },
    });
    await more(watched, 60);
  }
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${NEXT}`]);
  expect(await drain(first, CELL, 50)).toMatchObject({ status: 200, body: { share: 50 } });
  await more(watched, 60);
  expect(await endDrain(first, CELL)).toMatchObject({ status: 200, body: { state: 'serving', share: 0 } });

  const turns = await expectUntroubled(watched);
  expect(turns.filter(({ outcome }) => outcome === 'open')).toHaveLength(5);
  const ways = [...waysOf(CELL, watched.fromMs).values()];
  expect(ways.length).toBeGreaterThan(0);
  expect(new Set(ways.map(String))).toEqual(new Set([`${CELL},${NEXT},${CELL}`]));
});

test('a cell that is back takes its tenants home in three steps, and none of them is felt', async () => {
  const watched = await watchUnderLoad(fleet);
  await fleet.cell(CELL).kill('SIGKILL');
  await untilServedFrom(CELL, NEXT, fleet.routers);
  await more(watched, 60);
  const backMs = performance.now();
  await fleet.cell(CELL).restart();
  await untilCalm(fleet);

  await expectUntroubled(watched, { except: (sent) => sent.home === CELL && sent.startedAtMs < backMs });
  const steps = await auditSince(fleet, watched.fromMs);
  const opened = steps.filter(({ details }) => details?.['phase'] === 'open').map(({ details }) => details);
  expect(opened.map((details) => details?.['share']).reverse()).toEqual([90, 50, 0]);
  expect(await eventsOf(first, CELL, epoch)).toMatchObject(
    ['failed-over', ...Array.from({ length: 4 }, () => 'returning'), 'serving', 'serving'].map((to) => ({
      to,
    })),
  );
});

test('a cell is evacuated while another one is failed over', async () => {
  const watched = await watchUnderLoad(fleet);
  const lost = 'cell-c';
  await fleet.cell(lost).kill('SIGKILL');
  await untilServedFrom(lost, 'cell-d', fleet.routers);
  expect(await drain(first, CELL, 100)).toMatchObject({
    status: 200,
    body: { state: 'drained', target: NEXT },
  });
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${NEXT}`]);
  expect(await restore(first, CELL)).toMatchObject({ status: 200, body: { state: 'serving' } });
  const backMs = performance.now();
  await fleet.cell(lost).restart();
  await untilCalm(fleet);

  await expectUntroubled(watched, { except: (sent) => sent.home === lost && sent.startedAtMs < backMs });
  expectNoThirdCell(fleet);
});

test('a drain, a pin and a forced failover end by themselves, by handovers', async () => {
  const watched = await watchUnderLoad(fleet);
  expect(await drain(first, CELL, 100, 1)).toMatchObject({ status: 200 });
  await untilCalm(fleet);
  const [pinned] = crowdOf(placementOf(fleet.fileFor(0)), CELL);
  const pin = await operate(first, 'PUT', `/v1/pins/${pinned?.tenant}`, { cell: NEXT, expiresIn: 1 });
  expect(pin).toMatchObject({ status: 200, body: { pins: { [pinned?.tenant ?? '']: { cell: NEXT } } } });
  await more(watched, 60);
  await untilPins(0);
  expect(await forceFailover(first, CELL, 1)).toBe(200);
  await untilCalm(fleet);

  await expectUntroubled(watched);
  const events = await eventsOf(first, CELL, epoch);
  const expired = events.filter(({ cause }) => cause === 'expired').map(({ from, to }) => `${from} → ${to}`);
  expect(expired).toEqual([
    // The drain: three steps, each in closing and open. The pin. The failover.
    'drained → returning',
    ...WAY_HOME,
    'serving → serving',
    'serving → serving',
    'failed-over → returning',
    ...WAY_HOME,
  ]);
});

/** After the first closing. */
const WAY_HOME = [
  ...Array.from({ length: 3 }, () => 'returning → returning'),
  'returning → serving',
  'serving → serving',
];

async function untilPins(count: number): Promise<void> {
  await until(`${count} pins are left`, async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    return all.every(({ cells }) => cells.every(({ pins, phase }) => pins === count && phase === 'open'));
  });
}

test('a new neighbour by the file waits for as long as the old one stands in', async () => {
  const watched = await watchUnderLoad(fleet);
  await fleet.cell(CELL).kill('SIGKILL');
  await untilServedFrom(CELL, NEXT, fleet.routers);
  await giveFiles({ neighbours: OTHER_CIRCLE });
  // Nor does the cell that stands in become another one's neighbour meanwhile: it is sized for one.
  await untilNeighbours({ ...OTHER_CIRCLE, [CELL]: NEXT, 'cell-c': 'cell-d' });
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${NEXT}`]);

  const backMs = performance.now();
  await fleet.cell(CELL).restart();
  await untilNeighbours(OTHER_CIRCLE);
  const events = await eventsOf(first, CELL, epoch);
  expect(events.findIndex(({ cause }) => cause === 'move')).toBe(events.length - 1);
  expect(events.at(-1)).toMatchObject({ from: 'serving', to: 'serving', actor: 'quorum' });
  await expectUntroubled(watched, { except: (sent) => sent.home === CELL && sent.startedAtMs < backMs });

  expect(await drain(first, CELL, 100)).toMatchObject({ status: 200, body: { target: 'cell-c' } });
  expect(await answersFor(CELL, fleet.routers)).toEqual(['200 cell-c']);
  expect(await endDrain(first, CELL)).toMatchObject({ status: 200 });
});

async function giveFiles(change: FileChange): Promise<void> {
  for (const [index, router] of fleet.routers.entries()) {
    await router.writeFleet(fleet.fileFor(index, change));
    router.kill('SIGHUP');
  }
}

async function untilNeighbours(wanted: Record<string, string>): Promise<void> {
  await until(`the neighbours are ${JSON.stringify(wanted)}`, async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    return all.every(({ cells }) => cells.every(({ id, neighbour }) => neighbour === wanted[id]));
  });
}
