// Two routers and a real Redis: a verdict needs both, and neither needs Redis to go on serving.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricsOf, sumOf } from '../support/metrics.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

/** A line between one router and one cell that a test may cut. */
type Line = { origin: string; cut(): void; heal(): void; close(): Promise<void> };

let redis: RedisProcess;
let cells: StubCell[];
let lines: Line[];
let routers: RunningRouter[];

beforeAll(async () => {
  redis = await startRedis();
  cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => startStubCell(id)));
  const [a] = cells;
  lines = await Promise.all([startLine(a?.port ?? 0), startLine(a?.port ?? 0)]);
  routers = await Promise.all(lines.map((_, index) => launch(index)));
  await untilBothAreKnown();
});

async function launch(index: number): Promise<RunningRouter> {
  const [, b, c] = cells;
  const declared = {
    'cell-a': { origin: lines[index]?.origin ?? '', neighbour: 'cell-b' },
    'cell-b': { origin: b?.origin ?? '', neighbour: 'cell-c' },
    'cell-c': { origin: c?.origin ?? '', neighbour: 'cell-a' },
  };
  const pins = { acme: 'cell-a', other: 'cell-b' };
  return await startRouter(fleetOf(declared, { pins }), {
    ROUTER_ID: `router-${index + 1}`,
    REDIS_URL: redis.url,
    PROBE_INTERVAL_MS: '50',
    RISE: '2',
    // Each failover that comes soon after the way home doubles it.
    MIN_DWELL_MS: '50',
  });
}

async function untilBothAreKnown(): Promise<void> {
  await until('both routers know of each other', async () => {
    const told = await Promise.all(routers.map(({ admin }) => metricsOf(admin)));
    return told.every((samples) => sumOf(samples, 'cellgate_live_routers') === 2);
  });
}

afterAll(async () => {
  await redis.kill('SIGCONT');
  await Promise.all(routers.map((router) => router.stop()));
  await Promise.all([...lines.map((line) => line.close()), ...cells.map((cell) => cell.close())]);
  await redis.stop();
});

async function startLine(to: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let whole = true;
  const server: Server = createServer((near) => {
    if (!whole) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(to, '127.0.0.1');
    for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    whole = false;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    heal: () => (whole = true),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}

async function text(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

async function stateOf(router: RunningRouter, home: string): Promise<Record<string, unknown>> {
  const { cells: told } = JSON.parse(await text(`${router.admin}/v1/cells`)) as {
    cells: Record<string, unknown>[];
  };
  return told.find(({ id }) => id === home) ?? {};
}

async function everyRouterSays(home: string, expected: Record<string, unknown>): Promise<void> {
  await until(`every router says ${JSON.stringify(expected)} of ${home}`, async () => {
    const states = await Promise.all(routers.map((router) => stateOf(router, home)));
    return states.every((state) => Object.entries(expected).every(([key, value]) => state[key] === value));
  });
}

async function servedBy(router: RunningRouter | undefined, tenant: string): Promise<string | null> {
  const answer = await fetch(`${router?.url}/`, { headers: { 'x-tenant-id': tenant } });
  await answer.text();
  return answer.status === 200 ? answer.headers.get('x-cell-id') : `refused with ${answer.status}`;
}

async function untilServedBy(tenant: string, cell: string): Promise<void> {
  await until(`every router serves ${tenant} from ${cell}`, async () => {
    const served = await Promise.all(routers.map((router) => servedBy(router, tenant)));
    return served.every((one) => one === cell);
  });
}

/** Waits until all of cell-a's tenants have come home, step by step. */
async function untilAllAreHome(): Promise<void> {
  await everyRouterSays('cell-a', { state: 'serving', phase: 'open', share: 0 });
  await untilServedBy('acme', 'cell-a');
}

/** Waits until every router has logged, behind these many lines, that the store does not answer. */
async function untilStoreMissed(from: number[]): Promise<void> {
  await until('every router misses the store', () =>
    routers.every(({ logs }, i) =>
      logs.slice(from[i]).some(({ msg }) => String(msg).includes('the store does not answer')),
    ),
  );
}

/** Waits until the router has told the store its opinions this many times more. */
async function untilBeaten(router: RunningRouter | undefined, times: number): Promise<void> {
  let beats = 0;
  let lastAge = 0;
  await until('the router has beaten', async () => {
    const age = sumOf(await metricsOf(router?.admin ?? ''), 'cellgate_knowledge_age_seconds');
    if (age < lastAge) beats += 1;
    lastAge = age;
    return beats >= times;
  });
}

test('one router cut off from a cell moves nobody: the others go on with it', async () => {
  lines[0]?.cut();
  await until(
    'the one finds the cell down',
    async () => (await stateOf(routers[0] as RunningRouter, 'cell-a'))['opinion'] === 'down',
  );
  await untilBeaten(routers[0], 2);
  expect(await servedBy(routers[1], 'acme')).toBe('cell-a');
  expect(await stateOf(routers[1] as RunningRouter, 'cell-a')).toMatchObject({ state: 'serving', epoch: 1 });
  lines[0]?.heal();
  await untilAllAreHome();
});

test('both cut off from it is a verdict, and both obey it', async () => {
  for (const line of lines) line.cut();
  await untilServedBy('acme', 'cell-b');
  await everyRouterSays('cell-a', { state: 'failed-over', target: 'cell-b', epoch: 2 });
  for (const line of lines) line.heal();
  await untilAllAreHome();
  const states = await Promise.all(routers.map((router) => stateOf(router, 'cell-a')));
  expect(states[1]).toEqual({ ...states[0], origin: states[1]?.['origin'] });
  // Three handovers of two epochs each, if none was undone.
  expect(states[0]?.['epoch']).toBeGreaterThanOrEqual(8);
});

test('with Redis frozen requests go on, by the last verdicts', async () => {
  for (const line of lines) line.cut();
  await untilServedBy('acme', 'cell-b');
  await everyRouterSays('cell-a', { state: 'failed-over' });
  const logged = routers.map(({ logs }) => logs.length);
  await redis.kill('SIGSTOP');
  await untilStoreMissed(logged);
  for (const line of lines) line.heal();
  for (let i = 0; i < 20; i += 1) {
    const served = await Promise.all(routers.map((router) => servedBy(router, 'acme')));
    expect(served).toEqual(['cell-b', 'cell-b']);
  }
  expect(await servedBy(routers[0], 'other')).toBe('cell-b');
  await redis.kill('SIGCONT');
  await untilAllAreHome();
});

test('a Redis that lost everything gets the records back', async () => {
  for (const line of lines) line.cut();
  await untilServedBy('acme', 'cell-b');
  await until('both know the same epoch', async () => {
    const [one, two] = await Promise.all(routers.map((router) => stateOf(router, 'cell-a')));
    return one?.['state'] === 'failed-over' && one['epoch'] === two?.['epoch'];
  });
  const { epoch } = await stateOf(routers[0] as RunningRouter, 'cell-a');
  const from = routers.map(({ logs }) => logs.length);
  await redis.command('FLUSHALL');
  await until('the records are brought back', () =>
    routers.some(({ logs }, i) =>
      logs.slice(from[i]).some(({ msg }) => String(msg).includes('bringing them back')),
    ),
  );
  await everyRouterSays('cell-a', { state: 'failed-over', target: 'cell-b', epoch });
  expect(await servedBy(routers[0], 'acme')).toBe('cell-b');
  for (const line of lines) line.heal();
  await untilAllAreHome();
  expect((await stateOf(routers[0] as RunningRouter, 'cell-a'))['epoch']).toBeGreaterThan(Number(epoch));
});

test('with Redis killed requests go on, and an empty one in its place learns the records', async () => {
  const before = await stateOf(routers[0] as RunningRouter, 'cell-a');
  const logged = routers.map(({ logs }) => logs.length);
  await redis.kill('SIGKILL');
  for (let i = 0; i < 20; i += 1) {
    const served = await Promise.all(routers.map((router) => servedBy(router, 'acme')));
    expect(served).toEqual(['cell-a', 'cell-a']);
  }
  await untilStoreMissed(logged);
  const events = await fetch(`${routers[0]?.admin}/v1/events`);
  expect(events.status).toBe(503);
  expect((await fetch(`${routers[0]?.admin}/readyz`)).status).toBe(200);
  const from = routers.map(({ logs }) => logs.length);
  await redis.restart();
  await until('both routers have it again', () =>
    routers.every(({ logs }, i) => logs.slice(from[i]).some(({ msg }) => msg === 'the store answers again')),
  );
  expect(await stateOf(routers[1] as RunningRouter, 'cell-a')).toMatchObject({ epoch: before['epoch'] });
  for (const line of lines) line.cut();
  await untilServedBy('acme', 'cell-b');
  await everyRouterSays('cell-a', { epoch: Number(before['epoch']) + 1 });
  for (const line of lines) line.heal();
  await untilAllAreHome();
});

test('of two routers one dies together with a cell: the other is the majority once the beat of the dead one is over', async () => {
  await untilBothAreKnown();
  const [first, second] = routers as [RunningRouter, RunningRouter];
  first.kill('SIGKILL');
  await first.exited;
  for (const line of lines) line.cut();
  await until('the other one decides alone', async () => (await servedBy(second, 'acme')) === 'cell-b');
  const { events } = JSON.parse(await text(`${second.admin}/v1/events?limit=1`)) as {
    events: { reason: string }[];
  };
  expect(events[0]?.reason).toContain('1 of 1 routers');
  for (const line of lines) line.heal();
  await first.stop();
  routers = [await launch(0), second];
  await untilAllAreHome();
});

test('a router that stops takes its vote with it at once', async () => {
  const [first, second] = routers;
  await first?.stop();
  lines[1]?.cut();
  await until('the other one decides alone', async () => (await servedBy(second, 'acme')) === 'cell-b');
  routers.shift();
});
