// WORKERS above 1: several processes serve as one router. They know the same, tell the same, and one is replaced when it ends.
import { expect, test } from 'vitest';
import { drain, order } from '../support/operator.ts';
import { openClient, type RawClient } from '../support/raw-http.ts';
import { startRedis } from '../support/redis.ts';
import { runRouterToEnd, startRouter } from '../support/router.ts';
import { until } from '../support/wait.ts';
import {
  ask,
  cellOf,
  clientsOf,
  gauge,
  request,
  untilAllServe,
  workersOf,
  working,
  WORKERS,
} from '../support/working.ts';

const NUMBERS = [1, 2, 3];

async function cellsOf(clients: Iterable<RawClient>, tenant: string): Promise<string[]> {
  return await Promise.all([...clients].map(async (client) => cellOf(await ask(client, tenant))));
}

test('connections are shared out among the workers, and the machine is told of once', async () => {
  const { router } = await working();
  const clients = await clientsOf(router);
  expect([...clients.keys()].sort((a, b) => a - b)).toEqual(NUMBERS);
  expect(workersOf(router)).toHaveLength(WORKERS);
  const listening = router.logs.filter(({ msg }) => msg === 'router listening');
  expect(listening).toMatchObject([{ workers: WORKERS, address: router.url }]);
  expect(await gauge(router, 'cellgate_live_routers')).toBe(1);

  const before = await gauge(router, 'cellgate_requests_total');
  for (const client of clients.values()) for (let i = 0; i < 5; i += 1) await ask(client, 'acme');
  expect(await gauge(router, 'cellgate_requests_total')).toBe(before + 5 * WORKERS);
  expect(await gauge(router, 'cellgate_client_connections')).toBe(WORKERS);
  const text = await (await fetch(`${router.admin}/metrics`)).text();
  const types = text.split('\n').filter((line) => line.startsWith('# TYPE '));
  expect(new Set(types).size).toBe(types.length);
});

test('one machine has one vote, however many workers it has: two of them make two routers in Redis', async () => {
  const redis = await startRedis();
  const { router, cells, fleet } = await working({ REDIS_URL: redis.url });
  const other = await startRouter(fleet({ acme: 'cell-a' }), {
    REDIS_URL: redis.url,
    ROUTER_ID: 'router-2',
    WORKERS: '2',
  });
  try {
    await until('both know of two', async () => {
      const counts = [router, other].map(async (one) => await gauge(one, 'cellgate_live_routers'));
      return (await Promise.all(counts)).every((count) => count === 2);
    });
    // Room for both: each of the five workers has its part of a half.
    expect(await gauge(router, 'cellgate_router_ids_shared')).toBe(0);
    await cells[0].kill('SIGKILL');
    const clients = await clientsOf(router);
    await until('all workers send its tenants to the neighbour', async () => {
      const told = await cellsOf(clients.values(), 'acme');
      return told.every((cell) => cell === 'cell-b');
    });
  } finally {
    await other.stop();
    await redis.stop();
  }
});

test('a cell that dies is failed over for the clients of every worker', async () => {
  const { router, cells } = await working();
  const clients = await clientsOf(router);
  expect(new Set(await cellsOf(clients.values(), 'acme'))).toEqual(new Set(['cell-a']));
  await cells[0].kill('SIGKILL');
  // Held until the verdict, and then served: nobody is refused.
  expect(await cellsOf(clients.values(), 'acme')).toEqual(NUMBERS.map(() => 'cell-b'));
  const events = (await (await fetch(`${router.admin}/v1/events`)).json()) as { events: unknown[] };
  expect(events.events).toHaveLength(1);
});

// A cell of level 0 has no say in it: there it is the router alone that waits.
test.each([0, 1] as const)(
  'a handover waits for what is inside by any worker, and nothing is lost or done twice, at level %d',
  async (level) => {
    const { router, cells } = await working({}, { level });
    const clients = await clientsOf(router);
    const over = new AbortController();
    const answered: string[] = [];
    const load = NUMBERS.map(async () => {
      const client = await openClient(router.port);
      while (!over.signal.aborted) answered.push(cellOf(await ask(client, 'acme')));
      client.close();
    });
    await until('the load is on', () => answered.length > 50);
    const slow = [...clients.values()].map(async (client) => cellOf(await ask(client, 'acme', '/slow/400')));
    await until('they are inside', async () => (await gauge(router, 'cellgate_inside_requests')) >= WORKERS);
    const drained = await drain(router, 'cell-a', 100);
    expect(drained).toMatchObject({ status: 200, body: { phase: 'open', share: 100 } });
    expect(await Promise.all(slow)).toEqual(NUMBERS.map(() => 'cell-a'));
    const moved = answered.length;
    await until('the load goes on', () => answered.length > moved + 50);
    over.abort();
    await Promise.all(load);

    expect(answered.filter((cell) => !cell.startsWith('cell-'))).toEqual([]);
    const [before, after] = cells.map((cell) => cell.served().filter(({ tenant }) => tenant === 'acme'));
    expect((before?.length ?? 0) + (after?.length ?? 0)).toBe(answered.length + WORKERS);
    const lastAtHome = Math.max(...(before ?? []).map(({ untilMs }) => untilMs ?? Number.POSITIVE_INFINITY));
    expect(Math.min(...(after ?? []).map(({ at }) => at))).toBeGreaterThanOrEqual(lastAtHome);
  },
);

test('a worker that is killed is replaced, the others go on, and no count falls', async () => {
  const { router } = await working();
  const clients = await clientsOf(router);
  const before = await gauge(router, 'cellgate_requests_total');
  const [victim = 0] = workersOf(router);
  process.kill(victim, 'SIGKILL');
  await until('it is gone', () => [...clients.values()].some(({ closed }) => closed));
  const alive = [...clients.values()].filter(({ closed }) => !closed);
  expect(alive).toHaveLength(WORKERS - 1);
  expect(await cellsOf(alive, 'acme')).toEqual(['cell-a', 'cell-a']);
  await untilAllServe(router);
  expect(await gauge(router, 'cellgate_worker_restarts_total')).toBe(1);
  expect(await gauge(router, 'cellgate_requests_total')).toBe(before + WORKERS - 1);
  expect([...(await clientsOf(router)).keys()].sort((a, b) => a - b)).toEqual(NUMBERS);
  expect(workersOf(router)).not.toContain(victim);
});

test('a worker that came late knows what happened before', async () => {
  const { router, cells } = await working();
  await drain(router, 'cell-a', 100);
  await order(router, 'PUT', '/v1/quarantine/mallory', { expiresIn: 600 });
  const [victim = 0] = workersOf(router);
  process.kill(victim, 'SIGKILL');
  await until('it is replaced', async () => (await gauge(router, 'cellgate_worker_restarts_total')) === 1);
  await untilAllServe(router);
  const clients = await clientsOf(router);
  expect(await cellsOf(clients.values(), 'acme')).toEqual(NUMBERS.map(() => 'cell-b'));
  expect(await cellsOf(clients.values(), 'mallory')).toEqual(NUMBERS.map(() => '503'));
  expect(cells[0].served().filter(({ tenant }) => tenant === 'acme')).toEqual([]);
});

test('a tenant that is put in quarantine is refused by every worker', async () => {
  const { router } = await working();
  const clients = await clientsOf(router);
  expect(await order(router, 'PUT', '/v1/quarantine/acme', { expiresIn: 600 })).toMatchObject({
    status: 200,
  });
  await until('all refuse', async () => {
    const answers = await cellsOf(clients.values(), 'acme');
    return answers.every((status) => status === '503');
  });
  expect(await cellsOf(clients.values(), 'bolt')).toEqual(NUMBERS.map(() => 'cell-b'));
});

test('a worker that hangs is killed and replaced', async () => {
  const { router } = await working();
  const [victim = 0] = workersOf(router);
  process.kill(victim, 'SIGSTOP');
  // Meanwhile the metrics are those of the others.
  await until('it is missed', async () => (await gauge(router, 'cellgate_worker_scrapes_missed_total')) > 0);
  await until('it is replaced', async () => (await gauge(router, 'cellgate_worker_restarts_total')) === 1);
  await untilAllServe(router);
  expect(router.logs.some(({ msg, pid }) => String(msg).includes('does not answer') && pid === victim)).toBe(
    true,
  );
  expect([...(await clientsOf(router)).keys()].sort((a, b) => a - b)).toEqual(NUMBERS);
});

test('a cell is given no more than its room by all workers together', async () => {
  const { router } = await working({}, { capacity: { concurrency: 6 } });
  expect(await gauge(router, 'cellgate_lane_limit_requests', { cell: 'cell-a' })).toBe(6);
  const clients = await Promise.all(Array.from({ length: 12 }, () => openClient(router.port)));
  const answers = Promise.all(clients.map(async (client) => cellOf(await ask(client, 'acme', '/slow/1500'))));
  await until('it is full', async () => (await gauge(router, 'cellgate_lane_refusals_total')) === 6);
  expect(await gauge(router, 'cellgate_inside_requests', { cell: 'cell-a' })).toBe(6);
  const told = await answers;
  expect(told.filter((cell) => cell === 'cell-a')).toHaveLength(6);
  expect(told.filter((status) => status === '503')).toHaveLength(6);
  for (const client of clients) client.close();
});

test('a changed fleet file is in force in every worker', async () => {
  const { router, fleet } = await working();
  const clients = await clientsOf(router);
  await router.writeFleet(fleet({ acme: 'cell-b', bolt: 'cell-b' }));
  router.kill('SIGHUP');
  await until('all have it', async () => {
    const told = await cellsOf(clients.values(), 'acme');
    return told.every((cell) => cell === 'cell-b');
  });
});

test('SIGTERM to the whole group finishes what every worker has under way', async () => {
  const { router } = await working();
  const clients = await clientsOf(router);
  for (const client of clients.values()) client.send(request('acme', '/slow/700'));
  await until('they are inside', async () => (await gauge(router, 'cellgate_inside_requests')) === WORKERS);
  const workers = workersOf(router);
  for (const pid of [router.pid, ...workers]) process.kill(pid, 'SIGTERM');
  const answers = await Promise.all([...clients.values()].map(async (client) => await client.answer()));
  expect(answers.map(cellOf)).toEqual(NUMBERS.map(() => 'cell-a'));
  expect(await router.exited).toBe(0);
  await untilGone(workers);
});

test('a tenant whose request kills both cells is found, whichever worker it came by', async () => {
  const { router, cells } = await working({ HOLD_MS: '3500' });
  const clients = await clientsOf(router);
  await Promise.all(cells.map(async (cell) => await cell.behave({ poison: 'acme' })));
  const [first, , last] = clients.values();
  if (first === undefined || last === undefined) throw new Error('there are three');
  // Another worker's request is inside the cell as it dies: it was in this one alone.
  last.send(request('bystander', '/slow/60000'));
  await until('it is inside', async () => (await gauge(router, 'cellgate_inside_requests')) === 1);
  expect(cellOf(await ask(first, 'acme'))).toMatch(/^50[0-9]$/);
  const listed = await until('it is quarantined', async () => {
    const answer = await fetch(`${router.admin}/v1/quarantine`);
    const { quarantine } = (await answer.json()) as { quarantine: { tenant: string }[] };
    return quarantine.length > 0 ? quarantine : null;
  });
  expect(listed.map(({ tenant }) => tenant)).toEqual(['acme']);
});

test('a port that is taken is told of as by one process', async () => {
  const { router, fleet } = await working();
  const env = { PORT: String(router.port), WORKERS: String(WORKERS) };
  const { code, stderr } = await runRouterToEnd(fleet({ acme: 'cell-a' }), env);
  expect({ code, stderr }).toEqual({ code: 1, stderr: `cellgate: port ${router.port} is already in use\n` });
});

test('a second signal ends all at once', async () => {
  const { router } = await working();
  const clients = await clientsOf(router);
  for (const client of clients.values()) client.send(request('acme', '/slow/60000'));
  await until('they are inside', async () => (await gauge(router, 'cellgate_inside_requests')) === WORKERS);
  const workers = workersOf(router);
  router.kill('SIGTERM');
  await until('it drains', () => router.logs.some(({ msg }) => msg === 'router draining'));
  router.kill('SIGTERM');
  await router.exited;
  await untilGone(workers);
});

test('nothing is left of a router that is killed', async () => {
  const { router } = await working();
  const workers = workersOf(router);
  expect(workers).toHaveLength(WORKERS);
  router.kill('SIGKILL');
  await untilGone(workers);
});

async function untilGone(pids: readonly number[]): Promise<void> {
  await until('the workers are gone', () => pids.every(isGone));
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
