// Routers that sleep, die, leave or read another fleet file than the others, while a cell is lost.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { Agent } from 'undici';
import {
  answerOver,
  answerTo,
  answersFor,
  eventsOf,
  expectNoThirdCell,
  expectOthersUntroubled,
  gaugeOf,
  loadOf,
  more,
  rowOf,
  untilCalm,
  untilServedFrom,
} from '../support/fault-checks.ts';
import { startFaultFleet, tenantsOf, type FaultFleet } from '../support/fault-fleet.ts';
import type { RunningRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';

const CELL = 'cell-a';
const [FIRST, SECOND, LAST] = [0, 1, 2];
/** Pinned to another cell by the new file. */
const MOVER = 'mover';

let fleet: FaultFleet;
let epoch: number;

beforeAll(async () => {
  fleet = await startFaultFleet({
    env: { FLEET_ACTIVATE_MS: '5000' },
    envOf: (index, folder) => (index === SECOND ? clockOf(folder) : {}),
  });
});

/** What makes a router's wall clock jump: see there. */
function clockOf(folder: string): Record<string, string> {
  const preload = fileURLToPath(new URL('../support/jumping-clock.ts', import.meta.url));
  return { NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`, CLOCK_FILE: join(folder, 'clock') };
}

beforeEach(async () => {
  await untilCalm(fleet);
  ({ epoch } = await rowOf(routerAt(FIRST), CELL));
});

afterEach(async () => {
  await fleet.cell(CELL).behave({ health: 'ok' });
  expectNoThirdCell(fleet);
});

afterAll(async () => await fleet.stop());

function routerAt(index: number): RunningRouter {
  const router = fleet.routers[index];
  if (router === undefined) throw new Error(`no router ${index}`);
  return router;
}

const others = (): RunningRouter[] => fleet.routers.slice(0, LAST);

async function untilLive(count: number, routers: readonly RunningRouter[]): Promise<void> {
  await until(`${count} routers are live`, async () => {
    const counts = await Promise.all(routers.map((router) => gaugeOf(router, 'cellgate_live_routers')));
    return counts.every((live) => live === count);
  });
}

test('a router that slept through a failover is turned away by the fence, and serves from the neighbour', async () => {
  const cell = fleet.cell(CELL);
  const asleep = routerAt(LAST);
  // Connections that are open before it sleeps: what is sent over them is there when it wakes.
  const clients = tenantsOf(CELL).map((tenant) => ({ tenant, agent: new Agent({ connections: 1 }) }));
  onTestFinished(async () => void (await Promise.all(clients.map(({ agent }) => agent.destroy()))));
  const askAll = async (): Promise<string[]> =>
    await Promise.all(clients.map(({ agent, tenant }) => answerOver(agent, asleep, tenant, 'GET')));
  expect(new Set(await askAll())).toEqual(new Set([`200 ${CELL}`]));
  asleep.kill('SIGSTOP');
  // It goes on answering: only the fence stands between it and a request that is sent by old knowledge.
  await cell.behave({ health: 'down' });
  await untilServedFrom(CELL, 'cell-b', others());
  await until('the cell knows the new rule', async () => {
    const health = (await (await fetch(`${cell.origin}/health`)).json()) as {
      epochs: Record<string, number>;
    };
    return health.epochs[CELL] === epoch + 1;
  });
  const served = cell.served().length;
  const waiting = askAll();
  const { refused } = await cell.counters();
  asleep.kill('SIGCONT');

  expect(new Set(await waiting)).toEqual(new Set(['200 cell-b']));
  expect((await cell.counters()).refused).toBeGreaterThan(refused);
  expect(cell.served()).toHaveLength(served);
  await untilServedFrom(CELL, 'cell-b', fleet.routers);
  expect(await rowOf(asleep, CELL)).toMatchObject({ state: 'failed-over', epoch: epoch + 1 });
});

test('a router that sleeps is not counted, and is counted again when it is awake', async () => {
  const load = loadOf(others());
  routerAt(LAST).kill('SIGSTOP');
  await untilLive(2, others());
  await fleet.cell(CELL).kill('SIGKILL');
  await untilServedFrom(CELL, 'cell-b', others());
  expect(await answersFor(CELL, others())).toEqual(['200 cell-b']);

  routerAt(LAST).kill('SIGCONT');
  await untilLive(3, fleet.routers);
  await untilServedFrom(CELL, 'cell-b', fleet.routers);
  expect(await answersFor(CELL, fleet.routers)).toEqual(['200 cell-b']);
  await expectOthersUntroubled(load, [CELL]);
  await fleet.cell(CELL).restart();
});

test('a router that is killed together with a cell does not keep the others from a verdict', async () => {
  const load = loadOf(others());
  await more(load, 30);
  routerAt(LAST).kill('SIGKILL');
  await fleet.cell(CELL).kill('SIGKILL');
  await untilServedFrom(CELL, 'cell-b', others());

  expect(await answersFor(CELL, others())).toEqual(['200 cell-b']);
  await expectOthersUntroubled(load, [CELL]);
  await fleet.replaceRouter(LAST);
  expect(await answersFor(CELL, [routerAt(LAST)])).toEqual(['200 cell-b']);
  await fleet.cell(CELL).restart();
});

test('a router that dies with its vote on the way leaves one verdict, and no vote behind', async () => {
  const load = loadOf(others());
  const dying = routerAt(LAST);
  const seen = dying.logs.length;
  await fleet.cell(CELL).kill('SIGKILL');
  await until('the router has made up its mind', () =>
    dying.logs.slice(seen).some(({ cell, opinion }) => cell === CELL && opinion === 'down'),
  );
  dying.kill('SIGKILL');
  await untilServedFrom(CELL, 'cell-b', others());
  await untilLive(2, others());

  expect(await answersFor(CELL, others())).toEqual(['200 cell-b']);
  const changes = (await eventsOf(routerAt(FIRST), CELL, epoch)).filter(({ from, to }) => from !== to);
  expect(changes).toMatchObject([{ to: 'failed-over', epoch: epoch + 1 }]);
  await expectOthersUntroubled(load, [CELL]);
  await fleet.replaceRouter(LAST);
  await fleet.cell(CELL).restart();
});

test.each(['-3600000', '3600000'])(
  'a router whose clock jumps by %s ms serves, votes and counts as before',
  async (jumpMs) => {
    const load = loadOf(others());
    await more(load, 30);
    const jumping = routerAt(SECOND);
    writeFileSync(join(fleet.folder, 'clock'), jumpMs);
    jumping.kill('SIGUSR2');
    await more(load, 60);
    expect(await answersFor(CELL, [jumping])).toEqual([`200 ${CELL}`]);
    expect((await fleet.cell(CELL).counters()).expired).toBe(0);

    // Of three routers two must agree: the third one sleeps, so that the vote of the one whose clock jumped decides.
    routerAt(LAST).kill('SIGSTOP');
    await fleet.cell(CELL).kill('SIGKILL');
    await untilServedFrom(CELL, 'cell-b', others());
    expect(await answersFor(CELL, others())).toEqual(['200 cell-b']);
    expect((await rowOf(routerAt(FIRST), CELL)).epoch).toBe(epoch + 1);
    const far = jumping.logs.filter(
      ({ time }) => Math.abs(Date.parse(String(time)) - Date.now()) > 1_800_000,
    );
    expect(far).not.toEqual([]);

    routerAt(LAST).kill('SIGCONT');
    await fleet.cell(CELL).restart();
    await untilServedFrom(CELL, CELL, fleet.routers);
    await expectOthersUntroubled(load, [CELL]);
  },
);

test('a router that is stopped takes its beat along: the two that are left are all there are', async () => {
  const load = loadOf(others());
  expect(await routerAt(LAST).stop()).toBe(0);
  await untilLive(2, others());
  await fleet.cell(CELL).kill('SIGKILL');
  await untilServedFrom(CELL, 'cell-b', others());

  expect(await answersFor(CELL, others())).toEqual(['200 cell-b']);
  await expectOthersUntroubled(load, [CELL]);
  await fleet.replaceRouter(LAST);
  await fleet.cell(CELL).restart();
});

async function giveFile(index: number, home: string): Promise<void> {
  const router = routerAt(index);
  await router.writeFleet(fleet.fileFor(index, { pins: { [MOVER]: home } }));
  router.kill('SIGHUP');
}

async function untilDigests(count: number): Promise<void> {
  await until(`${count} fleet files are loaded`, async () => {
    const counts = await Promise.all(
      fleet.routers.map((router) => gaugeOf(router, 'cellgate_fleet_digests')),
    );
    return counts.every((digests) => digests === count);
  });
}

async function untilMoverIsAt(home: string, routers: readonly RunningRouter[]): Promise<void> {
  await until(`${MOVER} is served from ${home}`, async () => {
    const answers = await Promise.all(routers.map((router) => answerTo(router, MOVER)));
    return answers.every((answer) => answer === `200 ${home}`);
  });
}

const reasons = (router: RunningRouter): unknown[] =>
  router.logs.filter(({ msg }) => msg === 'fleet in force').map(({ why }) => why);

test('a new fleet file that two of three routers have waits for the third', async () => {
  const home = 'cell-c';
  const next = 'cell-d';
  for (const index of [FIRST, SECOND, LAST]) await giveFile(index, home);
  await untilMoverIsAt(home, fleet.routers);
  for (const index of [FIRST, SECOND]) await giveFile(index, next);
  await untilDigests(2);
  const ends = await Promise.all(fleet.routers.map((router) => answerTo(router, MOVER)));
  expect(new Set(ends)).toEqual(new Set([`200 ${home}`]));

  await giveFile(LAST, next);
  await untilMoverIsAt(next, fleet.routers);
  await untilDigests(1);
  for (const router of fleet.routers) expect(reasons(router).at(-1)).toBe('all live routers have it');
});

test('a new fleet file takes effect without the third router when it has waited long enough', async () => {
  const home = 'cell-d';
  const next = 'cell-c';
  for (const index of [FIRST, SECOND, LAST]) await giveFile(index, home);
  await untilMoverIsAt(home, fleet.routers);
  for (const index of [FIRST, SECOND]) await giveFile(index, next);
  await untilDigests(2);
  await untilMoverIsAt(next, others());

  expect(await answerTo(routerAt(LAST), MOVER)).toBe(`200 ${home}`);
  for (const router of others()) {
    expect(reasons(router).at(-1)).toBe('waited long enough for the other routers');
  }
  await giveFile(LAST, next);
  await untilMoverIsAt(next, fleet.routers);
  await untilDigests(1);
});
