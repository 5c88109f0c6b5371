// The main job: a cell is killed under load, its tenants reach the neighbour, and go home once it is back.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCellRing } from '../support/cell-pair.ts';
import type { RunningCell } from '../support/cell.ts';
import { startLoad, type Load, type Sent } from '../support/load.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';
import { fleetFrom } from '../unit/router/fleet/fleets.ts';

const NAMES = ['cell-a', 'cell-b', 'cell-c'];
const VICTIM = 'cell-b';
const TENANTS = Array.from({ length: 60 }, (_, i) => `tenant-${i}`);
// A write is four processes' work: a rate that two busy cores bear.
const RATE = 60;

type Explained = { home: string; neighbour: string; cell: string; role: string; epoch: number };

let cells = new Map<string, RunningCell>();
let restart: (id: string) => Promise<RunningCell>;
const routers: RunningRouter[] = [];
let redis: RedisProcess;
let load: Load | undefined;

beforeAll(async () => {
  redis = await startRedis();
  // Who is whose neighbour does not depend on where they are.
  const anywhere = Object.fromEntries(NAMES.map((id) => [id, { origin: `http://${id}` }]));
  const { placement } = fleetFrom(fleetOf(anywhere));
  const neighbours = new Map(NAMES.map((id) => [id, placement.neighbourOf(id) ?? '']));
  ({ cells, restart } = await startCellRing(neighbours));
  const origins = Object.fromEntries([...cells].map(([id, { url }]) => [id, { origin: url }]));
  for (const id of ['router-1', 'router-2']) {
    const fleet = fleetOf(origins, { failover: { requires: 'standby' } });
    routers.push(await startRouter(fleet, { ROUTER_ID: id, REDIS_URL: redis.url }));
  }
}, 120_000);

afterAll(async () => {
  await load?.stop();
  await Promise.all(routers.map((router) => router.stop()));
  await Promise.all([...cells.values()].map((cell) => cell.stop()));
  await redis.stop();
}, 120_000);

async function explain(router: RunningRouter, tenant: string): Promise<Explained> {
  const answer = await fetch(`${router.admin}/v1/tenants/${tenant}`);
  return (await answer.json()) as Explained;
}

async function everyRouterServesFrom(tenant: string, cell: string): Promise<void> {
  await until(`every router serves ${tenant} from ${cell}`, async () => {
    const answers = await Promise.all(routers.map((router) => explain(router, tenant)));
    return answers.every((answer) => answer.cell === cell);
  });
}

/** Waits until the load has gone on for a while: this many more requests answered. */
async function moreRequests(running: Load, count: number): Promise<void> {
  const enough = running.sent.length + count;
  await until('the load goes on', () => running.sent.length >= enough);
}

const failed = (requests: readonly Sent[]): Sent[] =>
  requests.filter(({ status }) => status < 200 || status > 299);

test('a killed cell costs only its own tenants anything, its neighbour serves them, and they go home again', async () => {
  const homes = new Map<string, Explained>();
  for (const tenant of TENANTS) {
    const [router] = routers;
    if (router !== undefined) homes.set(tenant, await explain(router, tenant));
  }
  const ofVictim = TENANTS.filter((tenant) => homes.get(tenant)?.home === VICTIM);
  const [sample = ''] = ofVictim;
  const neighbour = homes.get(sample)?.neighbour ?? '';
  expect(ofVictim.length).toBeGreaterThan(5);
  expect(NAMES).toContain(neighbour);
  expect(neighbour).not.toBe(VICTIM);

  const running = startLoad(
    routers.map(({ url }) => url),
    TENANTS,
    RATE,
  );
  load = running;
  await moreRequests(running, RATE);
  const victim = cells.get(VICTIM);
  if (victim === undefined) throw new Error('no victim');
  const killedAtMs = performance.now();
  await victim.kill('SIGKILL');

  await everyRouterServesFrom(sample, neighbour);
  const verdictAtMs = performance.now();
  await moreRequests(running, 2 * RATE);

  const restartedAtMs = performance.now();
  await restart(VICTIM);
  await everyRouterServesFrom(sample, VICTIM);
  const homeAtMs = performance.now();
  await moreRequests(running, RATE);
  const sent = await running.stop();

  const isOfVictim = ({ tenant }: Sent): boolean => homes.get(tenant)?.home === VICTIM;
  const others = sent.filter((one) => !isOfVictim(one));
  const own = sent.filter(isOfVictim);
  const away = own.filter(({ startedAtMs }) => startedAtMs > verdictAtMs && startedAtMs < restartedAtMs);
  const back = own.filter(({ startedAtMs }) => startedAtMs > homeAtMs);
  const thirds = sent.filter(
    ({ tenant, cell }) =>
      cell !== null && cell !== homes.get(tenant)?.home && cell !== homes.get(tenant)?.neighbour,
  );
  console.log(
    `kill -9 under ${RATE} requests/s: ${sent.length} requests, ${own.length} of the killed cell's tenants, ` +
      `${failed(own).length} of them failed, other cells' tenants: ${failed(others).length} failed, ` +
      `by a third cell: ${thirds.length}, kill to verdict at both routers: ${Math.round(verdictAtMs - killedAtMs)} ms`,
  );

  expect(failed(others)).toEqual([]);
  expect(thirds).toEqual([]);
  expect(away.length).toBeGreaterThan(10);
  expect(failed(away)).toEqual([]);
  expect(new Set(away.map(({ cell }) => cell))).toEqual(new Set([neighbour]));
  expect(back.length).toBeGreaterThan(5);
  expect(failed(back)).toEqual([]);
  expect(new Set(back.map(({ cell }) => cell))).toEqual(new Set([VICTIM]));
});

test('the audit log tells the failover and the way home, newest first', async () => {
  const answer = await fetch(`${routers[0]?.admin}/v1/events?limit=10`);
  const { events } = (await answer.json()) as {
    events: { cell: string; from: string; to: string; cause: string }[];
  };

  // Events that hold a verdict back change nothing: right after the start nobody knows yet who else is there.
  const own = events.filter(({ cell, from, to }) => cell === VICTIM && from !== to);
  expect(own.map(({ from, to, cause }) => ({ from, to, cause }))).toEqual([
    { from: 'returning', to: 'serving', cause: 'recovered' },
    { from: 'failed-over', to: 'returning', cause: 'recovered' },
    { from: 'serving', to: 'failed-over', cause: 'unreachable' },
  ]);
});
