// Fenced cells behind the real router: rules reach them in time, and a 421 never reaches a client.
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { initialRecord } from '../../router/health/record.ts';
import { misdirects, startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { awayRecord } from '../support/machine.ts';
import { startRedis } from '../support/redis.ts';
import { codeOf, routed, type Reply } from '../support/routed.ts';
import { until } from '../support/wait.ts';

const TOKEN = 'a-secret-of-cells';
const PATIENT = { HOLD_MS: '3600000' };

async function fenced(token: string | null = null): Promise<[FencedCell, FencedCell]> {
  const [a, b] = await Promise.all([startFencedCell('cell-a', token), startFencedCell('cell-b', token)]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

/** A store beside the router's, to change records as another router would. */
async function sharedStore(): Promise<{ store: RedisStore; env: Record<string, string> }> {
  const redis = await startRedis();
  const prefix = randomUUID();
  const store = createRedisStore({ url: redis.url, prefix });
  onTestFinished(async () => {
    await store.close();
    await redis.stop();
  });
  return { store, env: { REDIS_URL: redis.url, REDIS_PREFIX: prefix } };
}

function echo(cell: FencedCell): RequestListener {
  const [usual] = cell.server.listeners('request') as RequestListener[];
  return (request, response) => {
    cell.scripts.delete('/orders');
    usual?.(request, response);
  };
}

/** Asks of a cell are counted; the first `times` of them are answered 421. */
function refusesFirst(cell: FencedCell, epoch: number | null, times: number): { asked: number } {
  const counted = { asked: 0 };
  const script = misdirects(epoch, times, echo(cell));
  cell.scripts.set('/orders', (request, response) => {
    counted.asked += 1;
    script(request, response);
  });
  return counted;
}

function epochsOf({ rules }: FencedCell): Record<string, number> {
  return Object.fromEntries([...rules].map(([home, { epoch }]) => [home, epoch]));
}

async function untilEpochs(cells: FencedCell[], epochs: Record<string, number>): Promise<void> {
  await until(`the cells know ${JSON.stringify(epochs)}`, () =>
    cells.every((cell) => Object.entries(epochs).every(([home, epoch]) => epochsOf(cell)[home] === epoch)),
  );
}

function told(reply: Reply): unknown {
  return [reply.status, reply.headers['x-cell-id'] ?? codeOf(reply)];
}

test('both cells of a pair are brought every home’s first rule at the start', async () => {
  const [a, b] = await fenced();
  await routed([a, b]);
  await untilEpochs([a, b], { 'cell-a': 1, 'cell-b': 1 });
  expect(a.rules.get('cell-b')).toMatchObject({
    home: 'cell-b',
    neighbour: 'cell-a',
    target: 'cell-b',
    share: 0,
  });
});

test('each change is brought to both, and a cell that was away gets it when it answers again', async () => {
  const [a, b] = await fenced();
  const { explain } = await routed([a, b]);
  await untilEpochs([a, b], { 'cell-a': 1, 'cell-b': 1 });
  await a.die();
  await untilEpochs([b], { 'cell-a': 2 });
  expect(b.rules.get('cell-a')).toMatchObject({ state: 'failed-over', target: 'cell-b', share: 100 });
  a.forget();
  await a.reopen();
  // Three handovers bring a tenth of its tenants home, then half, then all.
  await untilEpochs([a, b], { 'cell-a': 8, 'cell-b': 1 });
  expect(a.rules.get('cell-a')).toMatchObject({
    state: 'serving',
    phase: 'open',
    target: 'cell-a',
    share: 0,
  });
  expect((await explain('acme')).cell).toBe('cell-a');
});

test('a cell that restarted and knows nothing is brought everything again', async () => {
  const [a, b] = await fenced();
  await routed([a, b]);
  await untilEpochs([a, b], { 'cell-a': 1, 'cell-b': 1 });
  b.forget();
  await untilEpochs([b], { 'cell-a': 1, 'cell-b': 1 });
});

test.each(['GET', 'POST', 'PATCH'])(
  'a %s that a cell with an older rule refused is sent again once it has the new one',
  async (method) => {
    const [a, b] = await fenced();
    const { send, explain } = await routed([a, b]);
    await a.die();
    await until('the neighbour serves', async () => (await explain('acme')).cell === 'cell-b');
    await untilEpochs([b], { 'cell-a': 2 });
    const before = b.brought.length;
    const counted = refusesFirst(b, 1, 1);
    const body = method === 'GET' ? {} : { body: 'an order' };
    expect(told(await send('acme', { method, ...body }))).toEqual([200, 'cell-b']);
    expect([counted.asked, b.seen.map((one) => one.body)]).toEqual([2, [method === 'GET' ? '' : 'an order']]);
    expect(b.brought.slice(before).some(({ rule }) => rule.home === 'cell-a' && rule.epoch === 2)).toBe(true);
  },
);

test('a 421 that says no epoch is met with the rule, too', async () => {
  const [a, b] = await fenced();
  const { send } = await routed([a, b]);
  const counted = refusesFirst(a, null, 1);
  expect(told(await send('acme', { method: 'POST', body: 'x' }))).toEqual([200, 'cell-a']);
  expect(counted.asked).toBe(2);
});

test('a 421 whose connection breaks amid its words is one all the same: a write is sent again', async () => {
  const [a, b] = await fenced();
  const { send } = await routed([a, b]);
  const again = echo(a);
  let asked = 0;
  a.scripts.set('/orders', (request, response) => {
    asked += 1;
    if (asked > 1) again(request, response);
    else {
      response.writeHead(421, { 'content-length': '100' }).write('{');
      setImmediate(() => request.socket.destroy());
    }
  });
  expect(told(await send('acme', { method: 'POST', body: 'x' }))).toEqual([200, 'cell-a']);
  expect(asked).toBe(2);
});

test('with a newer rule at the cell a request waits until the router has it, and asks nobody before', async () => {
  const [{ store, env }, [a, b]] = await Promise.all([sharedStore(), fenced()]);
  const { send, untilHeld } = await routed([a, b], { ...env, ...PATIENT });
  const counted = refusesFirst(a, 5, Number.POSITIVE_INFINITY);
  let probes = 0;
  a.server.on('request', ({ url }) => (probes += url === '/health' ? 1 : 0));
  const waiting = send('acme', { method: 'POST', body: 'an order' });
  await untilHeld(1);
  const before = probes;
  await until('the cell has answered more probes', () => probes >= before + 5);
  expect([counted.asked, b.seen]).toEqual([1, []]);
  await store.restore([awayRecord('cell-a', 'cell-b', 5)], 1);
  expect(told(await waiting)).toEqual([200, 'cell-b']);
  expect([counted.asked, b.seen.map(({ body }) => body)]).toEqual([1, ['an order']]);
});

test('a rule that came while the request was under way is as good: it is sent again at once', async () => {
  const [{ store, env }, [a, b]] = await Promise.all([sharedStore(), fenced()]);
  const { send, gauge } = await routed([a, b], { ...env, ...PATIENT, PROBE_INTERVAL_MS: '3600000' });
  let release = (): void => undefined;
  let asked = 0;
  const refuse = misdirects(5, 1, echo(a));
  a.scripts.set('/orders', (request, response) => {
    asked += 1;
    if (asked === 1) release = (): void => refuse(request, response);
    else refuse(request, response);
  });
  const waiting = send('acme', { method: 'POST', body: 'an order' });
  await until('it is inside', () => asked === 1);
  await store.restore([{ ...initialRecord('cell-a', 'cell-b'), epoch: 5, cause: 'recovered' }], 1);
  await until('the router knows', async () => (await gauge('cellgate_home_epoch', { home: 'cell-a' })) === 5);
  release();
  expect(told(await waiting)).toEqual([200, 'cell-a']);
});

test('a second 421 is a 503, and the client never hears of either', async () => {
  const [a, b] = await fenced();
  const { send } = await routed([a, b]);
  const counted = refusesFirst(a, 1, Number.POSITIVE_INFINITY);
  const reply = await send('acme');
  expect([told(reply), reply.headers['retry-after']]).toEqual([[503, 'cell-unavailable'], '1']);
  expect([counted.asked, b.seen]).toEqual([2, []]);
});

test('a rule that no router ever hears of costs the requests that asked for it alone', async () => {
  const [{ env }, [a, b]] = await Promise.all([sharedStore(), fenced()]);
  const { send } = await routed([a, b], { ...env, HOLD_MS: '2500', HANDOVER_MS: '1000', FALL: '1' });
  refusesFirst(a, Number.MAX_SAFE_INTEGER, 1);
  expect(told(await send('acme'))).toEqual([503, 'cell-unavailable']);
  await a.die();
  expect(told(await send('acme'))).toEqual([200, 'cell-b']);
});

test('a body that was not kept is not sent again after a 421', async () => {
  const [a, b] = await fenced();
  const { send } = await routed([a, b]);
  const counted = refusesFirst(a, 1, Number.POSITIVE_INFINITY);
  const body = 'x'.repeat(65_537);
  expect(told(await send('acme', { method: 'PUT', body }))).toEqual([503, 'cell-unavailable']);
  expect(counted.asked).toBe(1);
});

test('a cell of contract level 0 that answers 421 is not asked for ever, and its 421 goes to no client', async () => {
  const [a, b] = await fenced();
  a.health.body = { cell: 'cell-a', version: '1.0.0', status: 'ok', checks: {} };
  const { send } = await routed([a, b]);
  const counted = refusesFirst(a, null, Number.POSITIVE_INFINITY);
  expect(told(await send('acme'))).toEqual([503, 'cell-unavailable']);
  expect([counted.asked, a.brought]).toEqual([2, []]);
});

test('cells are shown the token, and no log has it', async () => {
  const [a, b] = await fenced(TOKEN);
  const { router } = await routed([a, b], { CELL_TOKEN: TOKEN, LOG_LEVEL: 'trace' });
  await untilEpochs([a, b], { 'cell-a': 1, 'cell-b': 1 });
  expect(new Set(a.brought.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
  expect(JSON.stringify(router.logs)).not.toContain(TOKEN);
});

test('a cell that does not take the token’s rules is told of, and its tenants are served all the same', async () => {
  const [a, b] = await fenced('another-secret');
  a.show([initialRecord('cell-a', 'cell-b')]);
  const { router, send } = await routed([a, b], { CELL_TOKEN: TOKEN });
  await until('it is told', () =>
    router.logs.some(({ msg, status }) => msg === 'cell refused a rule' && status === 401),
  );
  expect(told(await send('acme'))).toEqual([200, 'cell-a']);
  expect(JSON.stringify(router.logs)).not.toContain('secret');
});

test.each<[string, Record<string, string>]>([
  ['a client', {}],
  ['a client of events', { accept: 'text/event-stream' }],
])('a 421 whose words never end does not keep %s for ever', async (_, headers) => {
  const [a, b] = await fenced();
  const { router } = await routed([a, b], { CELL_TIMEOUT_MS: '300' });
  a.scripts.set('/orders', (request, response) => {
    response.writeHead(421, { 'content-type': 'application/json' }).write('{');
    const drip = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(drip));
    request.resume();
  });
  const signal = AbortSignal.timeout(3_000);
  const answer = fetch(`${router.url}/orders`, { headers: { 'x-tenant-id': 'acme', ...headers }, signal });
  expect((await answer).status).toBe(503);
});
