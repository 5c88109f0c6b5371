// The benchmark of the lanes on a small scale: what holds on any machine is asserted, durations are not looked at.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { KNEE, startLanesFleet, type LanesFleet, type Tenant } from '../../loadtest/bench/lanes-fleet.ts';
import { judgeLanes } from '../../loadtest/bench/lanes-report.ts';
import { runLanes } from '../../loadtest/bench/lanes-run.ts';
import { servedByThird } from '../../loadtest/bench/two-cells.ts';
import { until } from '../support/wait.ts';

type Answer = { tenant: string; status: number };

/** A refused client does not come back at once, else refusals would be all that this machine does. */
const AGAIN_MS = 20;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-lanes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** So many clients for each tenant, each with one request under way, until it is stopped. */
function startClosedLoop({ router }: LanesFleet, tenants: readonly Tenant[], clients: number) {
  const agent = new Agent({ pipelining: 1 });
  const answers: Answer[] = [];
  const ended = new AbortController();
  const client = async ({ tenant }: Tenant): Promise<void> => {
    while (!ended.signal.aborted) {
      const headers = { 'x-tenant-id': tenant };
      const answer = await request(`${router.url}/orders`, { dispatcher: agent, headers });
      await answer.body.dump();
      answers.push({ tenant, status: answer.statusCode });
      if (answer.statusCode !== 200) await pause(AGAIN_MS);
    }
  };
  const all = tenants.flatMap((tenant) => Array.from({ length: clients }, () => client(tenant)));
  const stop = async (): Promise<void> => {
    ended.abort();
    await Promise.all(all);
    await agent.destroy();
  };
  return { answers, stop };
}

test('with twice its load a neighbour refuses none of its own tenants, and all guests share what is left', async () => {
  const fleet = await startLanesFleet(newFolder(), KNEE);
  onTestFinished(() => fleet.close());
  const { lost, neighbour, router } = fleet;
  // No more than half of the neighbour, which guests never have.
  const own = startClosedLoop(fleet, fleet.tenantsOf(neighbour).slice(0, 4), KNEE / 8);
  const answered = async (count: number): Promise<void> => {
    const from = own.answers.length;
    await until('the home tenants were served', () => own.answers.length >= from + count);
  };
  await answered(100);
  await lost.kill('SIGKILL');
  await until('the neighbour serves', async () => {
    const { cell } = (await router.admin('/v1/tenants/cell-a-0')) as { cell: string };
    return cell === neighbour.id;
  });
  const guestTenants = fleet.tenantsOf(lost).slice(0, 8);
  const guests = startClosedLoop(fleet, guestTenants, KNEE / 8);
  await until('each guest was served', () => {
    const served = guests.answers.filter(({ status }) => status === 200).map(({ tenant }) => tenant);
    return new Set(served).size === guestTenants.length;
  });
  await answered(200);
  await Promise.all([guests.stop(), own.stop()]);
  expect(new Set(own.answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(guests.answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
  const lines = fleet.cells.flatMap((cell) => cell.served());
  expect(servedByThird(lines, fleet.neighbourOf)).toBe(0);
});

test('the benchmark plays every window, and no third cell serves in it', async () => {
  const folder = newFolder();
  const measured = await runLanes({
    folder,
    rounds: 1,
    windowMs: 500,
    withoutLanes: true,
    say: (line) => console.log(line),
  });
  const [round] = measured.rounds;
  expect(
    [round?.control, round?.failover, round?.noisy].filter((seen) => (seen?.requests ?? 0) === 0),
  ).toEqual([]);
  expect(measured.third).toBe(0);
  expect(judgeLanes(measured).filter(({ value }) => !Number.isFinite(value))).toEqual([]);
});
