// A cell joins the fleet and leaves it again, its buckets cut over in ranges, under load; and one tenant is far too loud.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { KNEE, startLanesFleet } from '../../loadtest/bench/lanes-fleet.ts';
import { statusOf, untilCalm } from '../support/fault-checks.ts';
import {
  CELLS,
  NEWCOMER,
  startFaultFleet,
  type FaultFleet,
  type FileChange,
} from '../support/fault-fleet.ts';
import {
  expectUntroubled,
  more,
  operate,
  placementOf,
  watchUnderLoad,
  type Operated,
} from '../support/handover-checks.ts';
import { until } from '../support/wait.ts';

const BUCKETS = 65_536;
const ADDED = [{ add: CELLS }, { add: [NEWCOMER] }];
const JOINING: FileChange = { more: [NEWCOMER], generations: ADDED };
const JOINED: FileChange = {
  more: [NEWCOMER],
  generations: [{ add: CELLS }, { add: [NEWCOMER], settled: true }],
};
const LEAVING: FileChange = {
  more: [NEWCOMER],
  generations: [{ add: CELLS }, { add: [NEWCOMER], settled: true }, { remove: [NEWCOMER] }],
};

/** Gives every router this file, and waits until it is in force. */
async function giveFiles(fleet: FaultFleet, change: FileChange): Promise<void> {
  const counts = fleet.routers.map(({ logs }) => logs.length);
  for (const [index, router] of fleet.routers.entries()) {
    await router.writeFleet(fleet.fileFor(index, change));
    router.kill('SIGHUP');
  }
  await until('the file is in force', () =>
    fleet.routers.every(({ logs }, index) =>
      logs.slice(counts[index]).some(({ msg }) => msg === 'fleet in force'),
    ),
  );
  await untilCalm(fleet);
  const placement = placementOf(fleet.fileFor(0, change));
  await until('the neighbours are those of the file', async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    return all.every(({ cells }) =>
      cells.every(({ id, neighbour }) => neighbour === placement.neighbourOf(id)),
    );
  });
}

async function cutOver(fleet: FaultFleet, from: number, to: number, home: string): Promise<Operated> {
  const [router] = fleet.routers;
  if (router === undefined) throw new Error('no router');
  return await operate(router, 'POST', '/v1/buckets/cut-over', { buckets: [[from, to]], to: home });
}

test('a cell joins and leaves again: each tenant stays at its old home until its range is cut over', async () => {
  const fleet = await startFaultFleet({ withNewcomer: true, env: { HANDOVER_MS: '1500', HOLD_MS: '3000' } });
  onTestFinished(async () => await fleet.stop());
  const watched = await watchUnderLoad(fleet);
  const placement = placementOf(fleet.fileFor(0, JOINING));
  const movers = watched.plan.tenants.filter(({ tenant }) => placement.locate(tenant).movingTo !== null);
  expect(movers.length).toBeGreaterThan(0);
  const servedBy = async (tenant: string): Promise<unknown> => {
    const answers = await Promise.all(
      fleet.routers.map(async ({ admin }) => (await fetch(`${admin}/v1/tenants/${tenant}`)).json()),
    );
    const cells = answers.map((answer) => (answer as { cell: unknown }).cell);
    return cells.every((cell) => cell === cells[0]) ? cells[0] : cells;
  };
  const expectServed = async (by: (bucket: number, home: string) => string): Promise<void> => {
    for (const { tenant, home } of movers) {
      expect(await servedBy(tenant)).toBe(by(placement.locate(tenant).bucket, home));
    }
  };

  await giveFiles(fleet, JOINING);
  await expectServed((_, home) => home);
  expect(await cutOver(fleet, 0, BUCKETS / 2 - 1, NEWCOMER)).toMatchObject({ status: 200 });
  await more(watched, 60);
  await expectServed((bucket, home) => (bucket < BUCKETS / 2 ? NEWCOMER : home));
  expect(await cutOver(fleet, BUCKETS / 2, BUCKETS - 1, NEWCOMER)).toMatchObject({ status: 200 });
  await more(watched, 60);
  await expectServed(() => NEWCOMER);
  await giveFiles(fleet, JOINED);
  await expectServed(() => NEWCOMER);

  await giveFiles(fleet, LEAVING);
  await expectServed(() => NEWCOMER);
  for (const heir of CELLS) {
    expect(await cutOver(fleet, 0, BUCKETS - 1, heir)).toMatchObject({ status: 200 });
  }
  const heirs = placementOf(fleet.fileFor(0, LEAVING));
  for (const { tenant } of movers) expect(await servedBy(tenant)).toBe(heirs.locate(tenant).movingTo);
  const mayServe = (tenant: string): string[] => {
    const { home, movingTo } = placement.locate(tenant);
    return [home, movingTo ?? home, heirs.locate(tenant).movingTo ?? home];
  };
  await expectUntroubled(watched, { mayServe });
});

/** Fifty times as many clients as each of the others has. */
const NOISY_CLIENTS = 50;
/** A refused client does not come back at once, else refusals would be all that this machine does. */
const AGAIN_MS = 20;

test('a tenant with fifty times its share takes from itself alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-noisy-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const fleet = await startLanesFleet(folder, KNEE);
  onTestFinished(() => fleet.close());
  const agent = new Agent({ pipelining: 1 });
  onTestFinished(() => agent.destroy());
  const ended = new AbortController();
  const answers: { tenant: string; status: number }[] = [];
  const client = async (tenant: string): Promise<void> => {
    while (!ended.signal.aborted) {
      const headers = { 'x-tenant-id': tenant };
      const answer = await request(`${fleet.router.url}/orders`, { dispatcher: agent, headers });
      await answer.body.dump();
      answers.push({ tenant, status: answer.statusCode });
      if (answer.statusCode !== 200) await pause(AGAIN_MS);
    }
  };
  const others = fleet
    .tenantsOf(fleet.neighbour)
    .slice(0, 8)
    .map(({ tenant }) => tenant);
  const all = others.map(client);
  await until('the others are there', () => answers.length > 2 * others.length);
  const alone = answers.length;
  all.push(...Array.from({ length: NOISY_CLIENTS }, () => client(fleet.noisy.tenant)));
  const ofOthers = (): number[] =>
    answers.slice(alone).flatMap(({ tenant, status }) => (others.includes(tenant) ? [status] : []));
  await until('the others are served beside it', () => ofOthers().length > 20 * others.length);
  ended.abort();
  await Promise.all(all);

  expect(new Set(ofOthers())).toEqual(new Set([200]));
  const ofNoisy = new Set(answers.flatMap(({ tenant, status }) => (others.includes(tenant) ? [] : [status])));
  expect(ofNoisy).toEqual(new Set([200, 503]));
});
