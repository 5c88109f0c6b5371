// One router on its own store: what makes it move a cell's tenants to the neighbour and home again, and what does not.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

/** cell-a → cell-b → cell-c → cell-a: each stands in for the one before it. */
const NEIGHBOURS = { 'cell-a': 'cell-b', 'cell-b': 'cell-c', 'cell-c': 'cell-a' } as const;
type Name = keyof typeof NEIGHBOURS;
const NAMES = Object.keys(NEIGHBOURS) as Name[];

type Answer = {
  status: number;
  cell: string | null;
  role: string;
  epoch: string;
  code: string;
  retryAfter: string | null;
};

type Fleet = { cells: Record<Name, StubCell>; router: RunningRouter };

let cells: Record<Name, StubCell>;
let router: RunningRouter;
let running: Fleet | null = null;

/** A test that moved nobody leaves its fleet to the next one. */
beforeEach(async () => {
  running ??= await startFleet();
  ({ cells, router } = running);
  for (const name of NAMES) {
    cells[name].scripts.clear();
    cells[name].health.body = { cell: name, version: '1.0.0', status: 'ok', checks: {} };
  }
});

afterEach(async () => {
  if (running === null) return;
  // By what the router knows, not by its log: a line may still be on its way, and the next test would be told of it.
  const states = await Promise.all(NAMES.map(stateOf));
  if (states.some(({ epoch }) => epoch !== 1)) await stopFleet();
});

afterAll(stopFleet);

async function startFleet(): Promise<Fleet> {
  const [a, b, c] = await Promise.all([
    startStubCell('cell-a'),
    startStubCell('cell-b'),
    startStubCell('cell-c'),
  ]);
  const started: Record<Name, StubCell> = { 'cell-a': a, 'cell-b': b, 'cell-c': c };
  const declared = Object.fromEntries(
    NAMES.map((name) => [name, { origin: started[name].origin, neighbour: NEIGHBOURS[name] }]),
  );
  // Each tenant is named after its home: what is asserted is who serves, not where the hash puts them.
  const pins = Object.fromEntries(
    NAMES.flatMap((name) => ['of', 'also-of'].map((prefix) => [`${prefix}-${name}`, name])),
  );
  const one = await startRouter(fleetOf(declared, { pins }), {
    PROBE_INTERVAL_MS: '50',
    PROBE_TIMEOUT_MS: '300',
    FALL: '3',
    RISE: '3',
    MIN_DWELL_MS: '300',
  });
  return { cells: started, router: one };
}

async function stopFleet(): Promise<void> {
  if (running === null) return;
  const { cells: its, router: one } = running;
  running = null;
  await one.stop();
  await Promise.all(NAMES.map((name) => its[name].close()));
}

async function ask(home: Name, path = '/', tenant = `of-${home}`): Promise<Answer> {
  const answer = await fetch(`${router.url}${path}`, { headers: { 'x-tenant-id': tenant } });
  const text = await answer.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  const headers = (body['headers'] ?? {}) as Record<string, string>;
  return {
    status: answer.status,
    cell: answer.headers.get('x-cell-id'),
    role: headers['x-cell-role'] ?? '',
    epoch: headers['x-cell-epoch'] ?? '',
    code: typeof body['code'] === 'string' ? body['code'] : '',
    retryAfter: answer.headers.get('retry-after'),
  };
}

async function untilServed(home: Name, by: Name): Promise<Answer> {
  return await until(`${by} serves the tenants of ${home}`, async () => {
    const answer = await ask(home);
    return answer.status === 200 && answer.cell === by ? answer : null;
  });
}

async function stateOf(home: Name): Promise<Record<string, unknown>> {
  const answer = await fetch(`${router.admin}/v1/cells`);
  const { cells: told } = (await answer.json()) as { cells: Record<string, unknown>[] };
  return told.find(({ id }) => id === home) ?? {};
}

async function untilState(home: Name, state: Record<string, unknown>): Promise<void> {
  await until(`${home} is ${JSON.stringify(state)}`, async () => {
    const now = await stateOf(home);
    return Object.entries(state).every(([key, value]) => now[key] === value);
  });
}

/** Waits until the router has asked every cell this many times more. */
async function untilProbed(times: number): Promise<void> {
  const counts = NAMES.map((name) => {
    const seen = { count: 0 };
    cells[name].server.on('request', ({ url }: { url?: string }) => {
      if (url === '/health') seen.count += 1;
    });
    return seen;
  });
  await until('every cell was probed', () => counts.every(({ count }) => count >= times));
}

function expectNothingMoved(): void {
  expect(router.logs.filter(({ msg }) => msg === 'verdict')).toEqual([]);
}

test("a cell that dies under traffic: its neighbour serves its tenants, and other cells' tenants see nothing", async () => {
  const traffic = { flows: true };
  const others: Answer[] = [];
  const victims: Answer[] = [];
  const load = async (home: Name, into: Answer[]): Promise<void> => {
    while (traffic.flows) into.push(await ask(home));
  };
  const loads = [load('cell-a', victims), load('cell-b', others), load('cell-c', others)];
  await until('traffic flows', () => victims.length > 10 && others.length > 20);
  await cells['cell-a'].die();
  const guest = await untilServed('cell-a', 'cell-b');
  const servedFrom = victims.length;
  await until('traffic flows on', () => victims.length > servedFrom + 10);
  traffic.flows = false;
  await Promise.all(loads);

  expect(guest).toMatchObject({ role: 'guest', epoch: '2' });
  expect(others.filter(({ status }) => status !== 200)).toEqual([]);
  expect(victims.slice(servedFrom + 1).filter(({ cell }) => cell !== 'cell-b')).toEqual([]);
  expect(victims.filter(({ cell }) => cell === 'cell-c')).toEqual([]);
  const codes = new Set(victims.filter(({ status }) => status !== 200).map(({ code }) => code));
  expect([...codes].filter((code) => !['cell-connection-failed', 'cell-unavailable'].includes(code))).toEqual(
    [],
  );
});

test('a cell that is back gets its tenants back in three handovers, each of two epochs', async () => {
  await cells['cell-a'].die();
  await untilServed('cell-a', 'cell-b');
  await untilState('cell-a', {
    state: 'failed-over',
    target: 'cell-b',
    epoch: 2,
    share: 100,
    cause: 'unreachable',
  });
  await cells['cell-a'].reopen();
  await untilState('cell-a', { state: 'serving', phase: 'open', epoch: 8, share: 0, cause: 'recovered' });
  expect(await ask('cell-a')).toMatchObject({ cell: 'cell-a', role: 'home', epoch: '8' });
});

test('home and neighbour both dead: a refusal that says when to come again, and never a third cell', async () => {
  await cells['cell-a'].die();
  await untilServed('cell-a', 'cell-b');
  await cells['cell-b'].die();
  await untilServed('cell-b', 'cell-c');
  const refused = await until('the tenants of cell-a are refused', async () => {
    const answer = await ask('cell-a');
    expect(answer.cell).not.toBe('cell-c');
    return answer.code === 'cell-unavailable' ? answer : null;
  });
  expect(refused).toMatchObject({ status: 503, retryAfter: '1', cell: null });
  expect(await ask('cell-c')).toMatchObject({ status: 200, cell: 'cell-c' });
  const explained = await fetch(`${router.admin}/v1/tenants/of-cell-a`);
  expect(await explained.json()).toMatchObject({ cell: null, role: null, home: 'cell-a' });
});

test('a neighbour that is lost sends the tenants home as soon as home is up', async () => {
  await cells['cell-a'].die();
  await untilServed('cell-a', 'cell-b');
  await cells['cell-b'].die();
  await untilServed('cell-b', 'cell-c');
  await cells['cell-a'].reopen();
  expect(await untilServed('cell-a', 'cell-a')).toMatchObject({ role: 'home', epoch: '3' });
});

test('a cell that says it is down fails over by its own word', async () => {
  cells['cell-a'].health.body = { cell: 'cell-a', version: '1.0.0', status: 'down', checks: {} };
  cells['cell-a'].health.status = 503;
  expect(await untilServed('cell-a', 'cell-b')).toMatchObject({ role: 'guest', epoch: '2' });
  expect(await stateOf('cell-a')).toMatchObject({ cause: 'self-declared' });
});

test('a cell that says it is down with no neighbour to take over goes on serving', async () => {
  await cells['cell-b'].die();
  await untilServed('cell-b', 'cell-c');
  cells['cell-a'].health.body = { cell: 'cell-a', version: '1.0.0', status: 'down', checks: {} };
  await untilState('cell-a', { opinion: 'down' });
  expect(await ask('cell-a')).toMatchObject({ status: 200, cell: 'cell-a', role: 'home' });
});

test('a degraded cell stays where it is', async () => {
  cells['cell-a'].health.body = { cell: 'cell-a', version: '1.0.0', status: 'degraded', checks: {} };
  await untilProbed(10);
  expect(await ask('cell-a')).toMatchObject({ status: 200, cell: 'cell-a' });
  expectNothingMoved();
  // Its lane has shrunk meanwhile: the next test begins with another fleet.
  await stopFleet();
});

test.each([404, 429, 500, 503])(
  'a cell that answers all traffic with %i is not condemned for it',
  async (status) => {
    cells['cell-a'].scripts.set('/always', (_, response) => response.writeHead(status).end());
    const answers = await Promise.all(Array.from({ length: 80 }, () => ask('cell-a', '/always')));
    expect(answers.every((answer) => answer.status === status && answer.cell === 'cell-a')).toBe(true);
    await untilProbed(4);
    expectNothingMoved();
  },
);

test('a cell whose answers are gateway errors, most of many, fails over', async () => {
  cells['cell-a'].scripts.set('/always', (_, response) => response.writeHead(504).end());
  await until('the traffic condemns it', async () => {
    const of = (i: number): string => (i % 2 === 0 ? 'of-cell-a' : 'also-of-cell-a');
    await Promise.all(Array.from({ length: 20 }, (_, i) => ask('cell-a', '/always', of(i))));
    return (await stateOf('cell-a'))['state'] === 'failed-over';
  });
});

test('one tenant whose every answer is a gateway error condemns no cell', async () => {
  cells['cell-a'].scripts.set('/always', (_, response) => response.writeHead(504).end());
  for (let i = 0; i < 3; i += 1) {
    await Promise.all(Array.from({ length: 20 }, () => ask('cell-a', '/always')));
  }
  await untilProbed(4);
  expectNothingMoved();
});

test('one tenant whose requests break among many that do not condemns no cell', async () => {
  cells['cell-a'].scripts.set('/breaks', (request) => request.socket.resetAndDestroy());
  for (let i = 0; i < 15; i += 1) {
    await Promise.all([ask('cell-a', '/breaks'), ask('cell-a'), ask('cell-a')]);
  }
  await untilProbed(4);
  expectNothingMoved();
});

test('a cell that answers as another one is not trusted', async () => {
  cells['cell-a'].health.body = { cell: 'cell-z', version: '1.0.0', status: 'ok', checks: {} };
  await untilServed('cell-a', 'cell-b');
  const events = await fetch(`${router.admin}/v1/events`);
  expect(await events.text()).toContain('another cell answers at its origin');
});

test.each([
  ['is not JSON', 'up and running'],
  ['has no status', { cell: 'cell-a', version: '1' }],
  ['is far too long', { cell: 'cell-a', version: '1', status: 'ok', checks: { a: 'x'.repeat(1_100_000) } }],
])('a health answer that %s is no sign of health', async (_, body) => {
  cells['cell-a'].health.body = body;
  await untilServed('cell-a', 'cell-b');
});

test('a cell that hangs in its health answer fails over', async () => {
  cells['cell-a'].scripts.set('/health', (request) => request.resume());
  await untilState('cell-a', { state: 'failed-over', target: 'cell-b' });
});
