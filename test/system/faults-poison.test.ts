// A tenant whose requests kill every cell that they reach: two cells at most, and then it is quarantined and they live on.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  answersFor,
  answerTo,
  expectNoThirdCell,
  expectOthersUntroubled,
  gaugeOf,
  loadOf,
  more,
  untilCalm,
} from '../support/fault-checks.ts';
import { ADMIN_TOKEN, CELLS, startFaultFleet, tenantsOf, type FaultFleet } from '../support/fault-fleet.ts';
import { until } from '../support/wait.ts';

const PAIR = ['cell-a', 'cell-b'];
const OTHERS = CELLS.filter((id) => !PAIR.includes(id));
const [CHANCE = '', , POISON = ''] = tenantsOf('cell-a');
/** How long both cells of the pair are left dead: longer than anybody takes to be found. */
const DEAD_MS = 2_500;
const REFUSED = '503 tenant-quarantined';

type Entry = { tenant: string; home: string; actor: string };

let fleet: FaultFleet;
let stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  fleet = await startFaultFleet({ env: { HOLD_MS: '3500' }, behaviour: { poison: POISON } });
});

beforeEach(async () => await untilCalm(fleet));

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const { tenant } of await quarantinedAt(0)) await letIn(tenant);
  await bringBack();
  expectNoThirdCell(fleet);
});

afterAll(async () => await fleet.stop());

async function quarantinedAt(router: number): Promise<Entry[]> {
  const answer = await fetch(`${fleet.routers[router]?.admin}/v1/quarantine`);
  return ((await answer.json()) as { quarantine: Entry[] }).quarantine;
}

async function letIn(tenant: string): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  await fetch(`${fleet.routers[0]?.admin}/v1/quarantine/${tenant}`, { method: 'DELETE', headers });
  await until('all let it in', async () => {
    const lists = await Promise.all(fleet.routers.map((_, i) => quarantinedAt(i)));
    return lists.flat().length === 0;
  });
}

/**
 * Until then cells that are dead for a while are started again, as a supervisor would: where others were in flight at both
 * deaths, it takes more of them.
 */
async function untilQuarantined(): Promise<void> {
  let deadSinceMs: number | null = null;
  await until('somebody is quarantined at every router', async () => {
    const lists = await Promise.all(fleet.routers.map((_, i) => quarantinedAt(i)));
    if (lists.every((list) => list.length > 0)) return true;
    const bothDead = !PAIR.some(isAlive);
    deadSinceMs = bothDead ? (deadSinceMs ?? performance.now()) : null;
    if (deadSinceMs !== null && performance.now() - deadSinceMs > DEAD_MS) await bringBack();
    return false;
  });
}

/** A tenant that sends by one router after the other, each time as soon as the last one was answered. */
function goOn(tenant: string, method: 'GET' | 'POST'): void {
  const load = { going: true };
  const sending = (async () => {
    for (let i = 0; load.going; i += 1) {
      const router = fleet.routers[i % fleet.routers.length];
      if (router !== undefined) await answerTo(router, tenant, method);
    }
  })();
  stops.push(async () => {
    load.going = false;
    await sending;
  });
}

function isAlive(id: string): boolean {
  try {
    return process.kill(fleet.cell(id).pid, 0);
  } catch {
    return false;
  }
}

async function bringBack(): Promise<void> {
  await Promise.all(PAIR.filter((id) => !isAlive(id)).map((id) => fleet.cell(id).restart()));
}

function pidsOf(ids: readonly string[]): number[] {
  return ids.map((id) => fleet.cell(id).pid);
}

test.each(['GET', 'POST'] as const)(
  'a tenant that kills each cell it reaches with a %s is quarantined after two, and they come back to all the others',
  async (method) => {
    const [pair, others] = [pidsOf(PAIR), pidsOf(OTHERS)];
    const load = loadOf(fleet.routers);
    await more(load, 60);
    goOn(POISON, method);
    await untilQuarantined();
    for (const [i, router] of fleet.routers.entries()) {
      expect(await quarantinedAt(i)).toMatchObject([{ tenant: POISON, home: 'cell-a', actor: 'quorum' }]);
      expect(await answerTo(router, POISON)).toBe(REFUSED);
      expect(await gaugeOf(router, 'cellgate_quarantined_tenants')).toBe(1);
    }

    await bringBack();
    await untilCalm(fleet);
    const again = pidsOf(PAIR);
    for (const [i, pid] of again.entries()) expect(pid).not.toBe(pair[i]);
    const answers = await answersFor('cell-b', fleet.routers);
    expect(answers).toEqual(['200 cell-b']);
    expect(await answersFor('cell-a', fleet.routers)).toEqual(['200 cell-a', REFUSED]);
    await more(load, 120);
    expect([...PAIR, ...OTHERS].every(isAlive)).toBe(true);
    expect([pidsOf(PAIR), pidsOf(OTHERS)]).toEqual([again, others]);
    await expectOthersUntroubled(load, PAIR);
  },
);

test.each([
  ['GET', 'POST'],
  ['POST', 'GET'],
] as const)(
  'a tenant of the same home that was in flight at both deaths by chance is not taken for the one that kills: by %s, beside a %s',
  async (method, chance) => {
    // So long that it always has a request inside.
    await Promise.all(PAIR.map((id) => fleet.cell(id).behave({ latencyMs: 200 })));
    for (let i = 0; i < 4; i += 1) goOn(CHANCE, chance);
    await until('it is inside', async () => (await fleet.cell('cell-a').counters()).served > 8);
    goOn(POISON, method);
    await untilQuarantined();
    expect(await quarantinedAt(0)).toMatchObject([{ tenant: POISON }]);
  },
);
