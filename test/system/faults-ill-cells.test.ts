// Cells that are there and ill, and a zone that is gone: which fault moves their tenants, and which must not.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  answersFor,
  eventsOf,
  expectNoThirdCell,
  expectOthersUntroubled,
  failoversOf,
  loadOf,
  rowOf,
  untilCalm,
  untilServedFrom,
} from '../support/fault-checks.ts';
import { startFaultFleet, type FaultFleet } from '../support/fault-fleet.ts';
import type { Load } from '../support/load.ts';
import type { RunningRouter } from '../support/router.ts';
import type { Behaviour } from '../../loadtest/stubs/stub-options.ts';
import { until } from '../support/wait.ts';

const ILL = 'cell-a';
const WELL: Partial<Behaviour> = {
  status: 200,
  latencyMs: 0,
  dripMs: 0,
  health: 'ok',
  healthStatus: 200,
  healthToo: false,
};
/** Far more than `FALL`, of three routers. */
const PROBES = 40;

let fleet: FaultFleet;
let first: RunningRouter;
let load: Load;
let epoch: number;

beforeAll(async () => {
  const zones = { 'cell-a': 'az-1', 'cell-b': 'az-2', 'cell-c': 'az-1', 'cell-d': 'az-2' };
  fleet = await startFaultFleet({ zones, env: { CELL_TIMEOUT_MS: '1000' } });
  const [router] = fleet.routers;
  if (router === undefined) throw new Error('no router');
  first = router;
});

beforeEach(async () => {
  await untilCalm(fleet);
  ({ epoch } = await rowOf(first, ILL));
  load = loadOf(fleet.routers);
});

afterEach(async () => {
  await load.stop();
  await fleet.cell(ILL).behave(WELL);
  expectNoThirdCell(fleet);
});

afterAll(async () => await fleet.stop());

async function behave(change: Partial<Behaviour>): Promise<void> {
  await fleet.cell(ILL).behave(change);
}

/** Waits until the routers had every occasion to find out, by probes and by traffic. */
async function untilWellKnown(): Promise<void> {
  const { probes } = await fleet.cell(ILL).counters();
  await until('it was probed often', async () => (await fleet.cell(ILL).counters()).probes > probes + PROBES);
}

async function expectNothingMoved(): Promise<void> {
  for (const router of fleet.routers) {
    expect(await rowOf(router, ILL)).toMatchObject({ state: 'serving', target: ILL, epoch, opinion: 'up' });
  }
}

test('a cell that answers 500 to everything keeps its tenants, who get its own answer', async () => {
  await behave({ status: 500 });
  await untilWellKnown();

  expect(await answersFor(ILL, fleet.routers)).toEqual([`500 ${ILL}`]);
  await expectNothingMoved();
  await expectOthersUntroubled(load, [ILL]);
});

test('a cell that answers 503 to everything keeps its tenants: its load would only hurt the neighbour', async () => {
  await behave({ status: 503 });
  await untilWellKnown();

  expect((await answersFor(ILL, fleet.routers)).every((answer) => answer.startsWith('503 '))).toBe(true);
  await expectNothingMoved();
  await expectOthersUntroubled(load, [ILL]);
});

test('a cell that says it is degraded keeps its tenants', async () => {
  await behave({ health: 'degraded' });
  await untilWellKnown();

  await expectNothingMoved();
  await expectOthersUntroubled(load, []);
});

test('a cell whose answers come byte by byte keeps its tenants while its health is prompt', async () => {
  await behave({ dripMs: 5 });
  await untilWellKnown();

  expect(await answersFor(ILL, fleet.routers)).toEqual([`200 ${ILL}`]);
  await expectNothingMoved();
  await expectOthersUntroubled(load, []);
});

test('a cell that does not answer in time keeps its tenants while its health is prompt, and they get 504', async () => {
  await behave({ latencyMs: 3_000 });
  await untilWellKnown();

  expect(await answersFor(ILL, fleet.routers)).toEqual(['504 cell-timeout']);
  await expectNothingMoved();
  await expectOthersUntroubled(load, [ILL]);
});

test('a cell whose health answer comes byte by byte too fails over as unreachable', async () => {
  await behave({ dripMs: 100, healthToo: true });
  await untilServedFrom(ILL, 'cell-b', fleet.routers);

  expect(await answersFor(ILL, fleet.routers)).toEqual(['200 cell-b']);
  const [event] = (await eventsOf(first, ILL, epoch)).filter(({ from, to }) => from !== to);
  expect(event).toMatchObject({ to: 'failed-over', cause: 'unreachable', epoch: epoch + 1 });
  await expectOthersUntroubled(load, [ILL]);
});

test('a cell that says it is down fails over at its own word', async () => {
  await behave({ health: 'down' });
  await untilServedFrom(ILL, 'cell-b', fleet.routers);

  expect(await answersFor(ILL, fleet.routers)).toEqual(['200 cell-b']);
  const [event] = (await eventsOf(first, ILL, epoch)).filter(({ from, to }) => from !== to);
  expect(event).toMatchObject({ to: 'failed-over', cause: 'self-declared', epoch: epoch + 1 });
  // It takes requests all along, and none of them may fail: its fence turns away what comes late.
  await expectOthersUntroubled(load, []);
});

test('the cells of a lost zone all fail over to their neighbours in the other one, and come home', async () => {
  const lost = ['cell-a', 'cell-c'];
  const epochs = await Promise.all(lost.map(async (id) => (await rowOf(first, id)).epoch));
  await Promise.all(lost.map((id) => fleet.cell(id).kill('SIGKILL')));
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  await untilServedFrom('cell-c', 'cell-d', fleet.routers);

  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-b']);
  expect(await answersFor('cell-c', fleet.routers)).toEqual(['200 cell-d']);

  await Promise.all(lost.map((id) => fleet.cell(id).restart()));
  await untilCalm(fleet);
  for (const [index, id] of lost.entries()) {
    expect(await answersFor(id, fleet.routers)).toEqual([`200 ${id}`]);
    expect(await failoversOf(first, id, epochs[index] ?? 0)).toBe(1);
  }
  await expectOthersUntroubled(load, lost);
});
