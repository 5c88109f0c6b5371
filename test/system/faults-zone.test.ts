// A whole zone is lost at once: past the budget, and yet no fault of the routers' own.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answersFor,
  expectNoThirdCell,
  expectOthersUntroubled,
  loadOf,
  more,
  rowOf,
  untilCalm,
  untilServedFrom,
} from '../support/fault-checks.ts';
import { startFaultFleet, type FaultFleet } from '../support/fault-fleet.ts';

const LOST = ['cell-a', 'cell-c'];

let fleet: FaultFleet;

beforeAll(async () => {
  const zones = { 'cell-a': 'az-1', 'cell-b': 'az-2', 'cell-c': 'az-1', 'cell-d': 'az-2' };
  fleet = await startFaultFleet({ zones });
  await untilCalm(fleet);
});

afterAll(async () => await fleet.stop());

test('the cells of a lost zone all fail over to their neighbours in the other one, and come home', async () => {
  const load = loadOf(fleet.routers);
  await more(load, 30);
  await Promise.all(LOST.map((id) => fleet.cell(id).kill('SIGKILL')));
  await untilServedFrom('cell-a', 'cell-b', fleet.routers);
  await untilServedFrom('cell-c', 'cell-d', fleet.routers);

  expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-b']);
  expect(await answersFor('cell-c', fleet.routers)).toEqual(['200 cell-d']);

  await Promise.all(LOST.map((id) => fleet.cell(id).restart()));
  await untilCalm(fleet);
  for (const id of LOST) {
    expect(await answersFor(id, fleet.routers)).toEqual([`200 ${id}`]);
    for (const router of fleet.routers) expect((await rowOf(router, id)).epoch).toBe(3);
  }
  await expectOthersUntroubled(load, LOST);
  expectNoThirdCell(fleet);
});
