// Handovers in which something dies: a router, by its sleep too, or Redis. They are finished or undone, and nobody pays but the dead.
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { Agent } from 'undici';
import { answersFor, answerOver, gaugeOf, rowOf, statusOf, untilCalm } from '../support/fault-checks.ts';
import { startFaultFleet, tenantsOf, type FaultFleet } from '../support/fault-fleet.ts';
import {
  auditSince,
  calmDown,
  drain,
  endDrain,
  epochMs,
  expectUntroubled,
  more,
  restore,
  stayInside,
  untilClosing,
  watchUnderLoad,
  type Watched,
} from '../support/handover-checks.ts';
import type { RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

const CELL = 'cell-a';
const NEXT = 'cell-b';
const [FIRST, LAST] = [0, 2];
const HANDOVER_MS = 1_500;
/** Long enough to do something meanwhile, and over before the handover is undone. */
const SHORT_MS = 800;
/** Longer than a handover may take. */
const LONG_MS = HANDOVER_MS + 500;

let fleet: FaultFleet;

beforeAll(async () => {
  fleet = await startFaultFleet({ env: { HANDOVER_MS: String(HANDOVER_MS), HOLD_MS: '3000' } });
});

beforeEach(async () => await calmDown(fleet));

afterAll(async () => await fleet.stop());

function routerAt(index: number): RunningRouter {
  const router = fleet.routers[index];
  if (router === undefined) throw new Error(`no router ${index}`);
  return router;
}

/** Kills the last router in the middle of everything; its clients go to the first one. */
function killLast({ plan }: Watched): { router: number; atMs: number }[] {
  const { url } = routerAt(FIRST);
  plan.routers = plan.routers.map((known, index) => (index === LAST ? url : known));
  const killed = [{ router: LAST, atMs: performance.now() }];
  routerAt(LAST).kill('SIGKILL');
  return killed;
}

async function replaceLast({ plan }: Watched): Promise<void> {
  await fleet.replaceRouter(LAST);
  plan.routers = fleet.routers.map(({ url }) => url);
}

test('a router that dies in closing leaves a handover that the others finish', async () => {
  const watched = await watchUnderLoad(fleet);
  const inside = await stayInside(watched, CELL, FIRST, SHORT_MS);
  const fromMs = epochMs();
  const drained = drain(routerAt(FIRST), CELL, 100);
  await untilClosing(fleet, CELL, fromMs);
  const killed = killLast(watched);
  expect(await drained).toMatchObject({ status: 200, body: { phase: 'open', share: 100 } });
  await inside.over;
  await replaceLast(watched);
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${NEXT}`]);
  expect(await restore(routerAt(FIRST), CELL)).toMatchObject({ status: 200 });

  const turns = await expectUntroubled(watched, { killed });
  expect(turns.at(-1)).toMatchObject({ gaining: CELL, outcome: 'open' });
});

test('a router that dies with a request inside is waited for until its beat is over: undone, and done again', async () => {
  const watched = await watchUnderLoad(fleet);
  const inside = await stayInside(watched, CELL, LAST, SHORT_MS);
  const fromMs = epochMs();
  const drained = drain(routerAt(FIRST), CELL, 100);
  await untilClosing(fleet, CELL, fromMs);
  const killed = killLast(watched);
  expect(await drained).toMatchObject({ status: 200, body: { phase: 'open', share: 100 } });
  await inside.over;
  await replaceLast(watched);
  expect(await restore(routerAt(FIRST), CELL)).toMatchObject({ status: 200 });

  const turns = await expectUntroubled(watched, { killed });
  expect(turns[0]).toMatchObject({ outcome: 'undone', waitingFor: ['router-3: requests inside'] });
});

test('a request that stays inside for too long undoes a handover, and the operator is told whose it is', async () => {
  const watched = await watchUnderLoad(fleet);
  // As long as the operator is willing to wait.
  const inside = await stayInside(watched, CELL, LAST, 6 * LONG_MS);
  const drained = await drain(routerAt(FIRST), CELL, 100);

  expect(drained).toMatchObject({
    status: 503,
    // The cell knows it as well: it has not let its tenants go.
    body: { code: 'handover-undone', waitingFor: ['router-3: requests inside', 'cells'] },
  });
  expect(await answersFor(CELL, fleet.routers)).toEqual([`200 ${CELL}`]);
  await inside.over;
  const turns = await expectUntroubled(watched);
  expect(turns.map(({ outcome }) => outcome)).toEqual(['undone', 'undone', 'undone']);
});

test('a router that slept through a handover is turned away by the fence, and its clients never learn of it', async () => {
  const watched = await watchUnderLoad(fleet);
  const asleep = routerAt(LAST);
  watched.plan.routers = watched.plan.routers.slice(0, LAST);
  // Connections that are open before it sleeps: what is sent over them is there when it wakes.
  const clients = tenantsOf(CELL).map((tenant) => ({ tenant, agent: new Agent({ connections: 1 }) }));
  onTestFinished(async () => void (await Promise.all(clients.map(({ agent }) => agent.destroy()))));
  const askAll = async (): Promise<string[]> =>
    await Promise.all(
      clients.map(({ agent, tenant }, index) =>
        answerOver(agent, asleep, tenant, index % 2 === 0 ? 'GET' : 'POST'),
      ),
    );
  expect(new Set(await askAll())).toEqual(new Set([`200 ${CELL}`]));
  await until('nothing of the load is there', () => !watched.load.openBefore(performance.now() - 100));
  asleep.kill('SIGSTOP');
  // There before any word of the handover: they are looked at first.
  const waiting = askAll();
  await more(watched, 30);
  expect(await drain(routerAt(FIRST), CELL, 100)).toMatchObject({ status: 200, body: { share: 100 } });
  const served = servedTo(CELL);
  const { refused } = await fleet.cell(CELL).counters();
  asleep.kill('SIGCONT');

  expect(new Set(await waiting)).toEqual(new Set([`200 ${NEXT}`]));
  expect((await fleet.cell(CELL).counters()).refused).toBeGreaterThan(refused);
  expect(servedTo(CELL)).toBe(served);
  await until('it goes by the new rule', async () => (await rowOf(asleep, CELL)).state === 'drained');
  expect(await restore(routerAt(FIRST), CELL)).toMatchObject({ status: 200 });
  watched.plan.routers = fleet.routers.map(({ url }) => url);
  const turns = await expectUntroubled(watched);
  expect(turns.at(-1)).toMatchObject({ gaining: CELL, outcome: 'open' });
});

/** How many requests of this home's own tenants the cell has served. */
function servedTo(home: string): number {
  return fleet
    .cell(home)
    .served()
    .filter((line) => line.home === home).length;
}

test('with Redis gone in closing only what is being moved is refused, until a new one decides', async () => {
  const watched = await watchUnderLoad(fleet);
  const inside = await stayInside(watched, CELL, FIRST, SHORT_MS);
  const fromMs = epochMs();
  const drained = drain(routerAt(FIRST), CELL, 100);
  await untilClosing(fleet, CELL, fromMs);
  const before = await auditSince(fleet, fromMs);
  await fleet.redis.kill('SIGKILL');
  await inside.over;
  await until('what is being moved is refused', () => refusedAsMoving(watched) > 0);
  const awayMs = performance.now();
  await until('it goes on so for a while', () => refusedAsMoving(watched) > 30);
  await fleet.redis.restart();
  await drained;
  await untilOpen();
  const { share } = await rowOf(routerAt(FIRST), CELL);
  if (share > 0) await endDrain(routerAt(FIRST), CELL);
  await untilCalm(fleet);
  expect(awayMs).toBeLessThan(performance.now());

  expect(before.some(({ details }) => details?.['phase'] === 'closing')).toBe(true);
  await expectUntroubled(watched, { home: CELL, mayRefuseMoving: true });
});

function refusedAsMoving({ load }: Watched): number {
  return load.sent.filter(({ error }) => error?.startsWith('placement-moving')).length;
}

async function untilOpen(): Promise<void> {
  await until('nothing is closing', async () => {
    const all = await Promise.all(fleet.routers.map(statusOf));
    const live = await Promise.all(fleet.routers.map((one) => gaugeOf(one, 'cellgate_store_up')));
    return (
      live.every((up) => up === 1) && all.every(({ cells }) => cells.every(({ phase }) => phase === 'open'))
    );
  });
}

test('with Redis gone in open every tenant stays where it is, and the share is there when Redis is back', async () => {
  const watched = await watchUnderLoad(fleet);
  expect(await drain(routerAt(FIRST), CELL, 50)).toMatchObject({ status: 200 });
  const { epoch } = await rowOf(routerAt(FIRST), CELL);
  const fromMs = epochMs();
  await fleet.redis.kill('SIGKILL');
  await until('the routers notice', async () => {
    const live = await Promise.all(fleet.routers.map((one) => gaugeOf(one, 'cellgate_store_up')));
    return live.every((up) => up === 0);
  });
  await more(watched, 120);
  await fleet.redis.restart();
  await untilOpen();
  expect(await rowOf(routerAt(FIRST), CELL)).toMatchObject({ share: 50, epoch, state: 'serving' });
  const ways = waysSince(fromMs);
  expect(new Set([...ways.values()].map((cells) => cells.size))).toEqual(new Set([1]));
  await untilEnded();

  await expectUntroubled(watched);
});

/** Tenant of the cell → the cells that served it since then. */
function waysSince(fromMs: number): Map<string, Set<string>> {
  const ways = new Map<string, Set<string>>();
  for (const { tenant, home, cell, at } of [CELL, NEXT].flatMap((id) => fleet.cell(id).served())) {
    if (home === CELL && at >= fromMs) ways.set(tenant, (ways.get(tenant) ?? new Set()).add(cell));
  }
  return ways;
}

/** A store that began empty decides nothing for a while: an operator asks again. */
async function untilEnded(): Promise<void> {
  await until('the drain is ended', async () => {
    const { status } = await endDrain(routerAt(FIRST), CELL);
    return status === 200;
  });
}
