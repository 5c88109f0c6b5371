// Cells that die in pairs, in turn and again and again: who serves their tenants, and who never does. Half are fenced.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  answersFor,
  eventsOf,
  expectNoThirdCell,
  expectOthersUntroubled,
  forceFailover,
  gaugeOf,
  loadOf,
  more,
  rowOf,
  statusOf,
  untilCalm,
  untilServedFrom,
  type Row,
} from '../support/fault-checks.ts';
import { CELLS, startFaultFleet, type FaultFleet } from '../support/fault-fleet.ts';
import type { RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

/** Half a period of the flapping cell: the shape of the fault, not a wait for anything. */
const HALF_MS = 500;
const FLAPS = 5;

let fleet: FaultFleet;
let first: RunningRouter;
const dead = new Set<string>();

beforeAll(async () => {
  // Each cell in a zone of its own: no two cells can be lost together as one zone.
  const zones = { 'cell-a': 'az-1', 'cell-b': 'az-2', 'cell-c': 'az-3', 'cell-d': 'az-4' };
  fleet = await startFaultFleet({ zones, unfenced: ['cell-c', 'cell-d'] });
  const [router] = fleet.routers;
  if (router === undefined) throw new Error('no router');
  first = router;
});

beforeEach(async () => await untilCalm(fleet));

afterEach(async () => {
  await bringBack(...dead);
  expectNoThirdCell(fleet);
});

afterAll(async () => await fleet.stop());

async function untilHeld(home: string, why: string): Promise<void> {
  await until(`${home} is held back: ${why}`, async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    return all.every(({ held }) => held.some((one) => one.home === home && one.why === why));
  });
}

/** Waits until every router finds these cells down: until then a request may still be tried, and fail as a connection. */
async function untilFoundDown(...ids: string[]): Promise<void> {
  await until(`${ids.join(' and ')} are found down`, async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    const down = (cells: readonly Row[], id: string): boolean =>
      cells.some((row) => row.id === id && row.opinion === 'down');
    return all.every(({ cells }) => ids.every((id) => down(cells, id)));
  });
}

async function lose(...ids: string[]): Promise<void> {
  for (const id of ids) dead.add(id);
  await Promise.all(ids.map((id) => fleet.cell(id).kill('SIGKILL')));
}

async function bringBack(...ids: string[]): Promise<void> {
  for (const id of ids) dead.delete(id);
  await Promise.all(ids.map((id) => fleet.cell(id).restart()));
}

test('of two cells that die together the one whose neighbour lives fails over, and the other is refused until it is back', async () => {
  const load = loadOf(fleet.routers);
  await more(load, 30);
  await lose('cell-a', 'cell-b');
  await untilServedFrom('cell-b', 'cell-c', fleet.routers);

  expect(await answersFor('cell-b', fleet.routers)).toEqual(['200 cell-c']);
  await untilFoundDown('cell-a', 'cell-b');
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['503 cell-unavailable']);

  await bringBack('cell-b');
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  await untilServedFrom('cell-b', 'cell-b', fleet.routers);
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-b']);
  expect(await answersFor('cell-b', fleet.routers)).toEqual(['200 cell-b']);

  await expectOthersUntroubled(load, ['cell-a', 'cell-b']);
});

test('a home that dies after its neighbour is refused, and served again by whichever of them is back', async () => {
  const load = loadOf(fleet.routers);
  await lose('cell-b');
  await untilServedFrom('cell-b', 'cell-c', fleet.routers);
  const { epoch } = await rowOf(first, 'cell-a');
  await lose('cell-a');
  await untilHeld('cell-a', 'no-target');
  await untilFoundDown('cell-a', 'cell-b');
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['503 cell-unavailable']);

  await bringBack('cell-a');
  await untilServedFrom('cell-a', 'cell-a', fleet.routers);
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-a']);
  expect((await rowOf(first, 'cell-a')).epoch).toBe(epoch);

  await lose('cell-a');
  await untilHeld('cell-a', 'no-target');
  await bringBack('cell-b');
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-b']);

  await expectOthersUntroubled(load, ['cell-a', 'cell-b']);
});

test('a home that is back while its neighbour has died takes its guests home', async () => {
  const { epoch } = await rowOf(first, 'cell-a');
  const load = loadOf(fleet.routers);
  await lose('cell-a');
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  await lose('cell-b');
  await untilServedFrom('cell-b', 'cell-c', fleet.routers);
  await untilFoundDown('cell-a', 'cell-b');
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['503 cell-unavailable']);

  await bringBack('cell-a');
  await untilServedFrom('cell-a', 'cell-a', fleet.routers);
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-a']);
  const causes = (await eventsOf(first, 'cell-a', epoch)).map(({ to, cause }) => `${to} ${cause}`);
  expect(causes).toEqual(['failed-over unreachable', 'serving neighbour-lost']);

  await expectOthersUntroubled(load, ['cell-a', 'cell-b']);
});

test('a neighbour that dies ends a failover by hand at once, whatever time it was given', async () => {
  const { epoch } = await rowOf(first, 'cell-a');
  expect(await forceFailover(first, 'cell-a', 600)).toBe(200);
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  const load = loadOf(fleet.routers);
  await lose('cell-b');
  await untilServedFrom('cell-a', 'cell-a', fleet.routers);

  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-a']);
  const causes = (await eventsOf(first, 'cell-a', epoch)).map(({ to, cause }) => `${to} ${cause}`);
  expect(causes).toEqual(['failed-over operator', 'serving neighbour-lost']);

  await expectOthersUntroubled(load, ['cell-a', 'cell-b']);
});

test('a second cell beyond the budget is held back with an alarm, and gets over by hand', async () => {
  const load = loadOf(fleet.routers);
  await lose('cell-a');
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  await lose('cell-c');
  await untilHeld('cell-c', 'budget');
  const alarm = { home: 'cell-c', why: 'budget' };
  expect(await gaugeOf(first, 'cellgate_failover_held', alarm)).toBe(1);
  expect((await rowOf(first, 'cell-c')).state).toBe('serving');
  await untilFoundDown('cell-c');
  expect(await answersFor('cell-c', fleet.routers)).toEqual(['503 cell-unavailable']);

  expect(await forceFailover(first, 'cell-c', 1)).toBe(200);
  await untilServedFrom('cell-c', 'cell-d', fleet.routers);
  expect(await answersFor('cell-c', fleet.routers)).toEqual(['200 cell-d']);
  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-b']);
  await until('the alarm is over', async () => (await gaugeOf(first, 'cellgate_failover_held')) === 0);

  await expectOthersUntroubled(load, ['cell-a', 'cell-c']);
});

test('a flapping cell costs nobody else anything, and settles at home', async () => {
  const { epoch } = await rowOf(first, 'cell-a');
  const load = loadOf(fleet.routers);
  for (let flap = 0; flap < FLAPS; flap += 1) {
    await lose('cell-a');
    await pause(HALF_MS);
    await bringBack('cell-a');
    await pause(HALF_MS);
  }
  await untilCalm(fleet);

  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-a']);
  // What is held back is an event of the epoch that goes on.
  const all = await eventsOf(first, 'cell-a', epoch);
  const events = all.filter((event, i) => event.epoch !== (all[i - 1]?.epoch ?? epoch));
  expect(events.length).toBeGreaterThan(0);
  expect(events.map((event) => event.epoch)).toEqual(events.map((_, index) => epoch + index + 1));
  await expectOthersUntroubled(load, ['cell-a']);
});

test('three routers and four cells run, each a process of its own', async () => {
  const pids = [...fleet.routers.map(({ pid }) => pid), ...CELLS.map((id) => fleet.cell(id).pid)];
  expect(new Set(pids).size).toBe(7);
  for (const pid of pids) expect(process.kill(pid, 0)).toBe(true);
  const levels = CELLS.map((id) => fleet.cell(id).level);
  expect(levels).toEqual([1, 1, 0, 0]);
});
