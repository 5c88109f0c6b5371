// Requests for a cell that just died: they wait for the verdict and reach its neighbour, or are refused in good time.
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DOWN, UP } from '../support/machine.ts';
import { head, openClient } from '../support/raw-http.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { codeOf, routed, startVoter, type Reply, type Routed, type Voter } from '../support/routed.ts';
import { startStubCell, type StubCell, type StubOptions } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

/** Longer than any test: what waits this long waits for a verdict and not for its limit. */
const FOR_EVER = { HOLD_MS: '3600000' };

let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
});

async function stubs(options: StubOptions = {}): Promise<[StubCell, StubCell]> {
  const [a, b] = await Promise.all([startStubCell('cell-a', options), startStubCell('cell-b', options)]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

/** A router and voters that share a store: with one voter a verdict needs both, two of them are a majority. */
async function quorum(
  cells: StubCell[],
  env: Record<string, string>,
  { voters = 1, ...more }: { capacity?: unknown; voters?: number } = {},
): Promise<{ setting: Routed; vote: Voter['vote'] }> {
  const prefix = randomUUID();
  const ids = Array.from({ length: voters }, (_, index) => `voter-${index + 1}`);
  const all = await Promise.all(ids.map((id) => startVoter(redis.url, prefix, id)));
  const setting = await routed(cells, { REDIS_URL: redis.url, REDIS_PREFIX: prefix, ...env }, more);
  await until('all machines vote', async () => (await setting.gauge('cellgate_live_routers')) === voters + 1);
  const vote: Voter['vote'] = async (votes) => void (await Promise.all(all.map((one) => one.vote(votes))));
  return { setting, vote };
}

function servedBy(reply: Reply): unknown {
  return reply.headers['x-cell-id'] ?? codeOf(reply);
}

test('of two hundred requests at the moment of death none fails, writes included', async () => {
  const [a, b] = await stubs();
  const { send } = await routed([a, b]);
  expect((await send('acme')).status).toBe(200);
  await a.die();
  const replies = await Promise.all(
    Array.from({ length: 200 }, async (_, i) =>
      i % 2 === 0 ? await send('acme') : await send('acme', { method: 'POST', body: `order ${i}` }),
    ),
  );
  expect(new Set(replies.map(servedBy))).toEqual(new Set(['cell-b']));
  expect(b.seen).toHaveLength(200);
  const orders = b.seen.filter(({ method }) => method === 'POST').map(({ body }) => body);
  expect(new Set(orders).size).toBe(100);
});

test('whatever it is, a request that never reached its cell waits, and goes where the verdict says', async () => {
  const [a, b] = await stubs({
    onUpgrade: (_, socket) => {
      socket.on('error', () => undefined);
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
      );
    },
  });
  const { setting, vote } = await quorum([a, b], FOR_EVER);
  const { send, router, untilHeld, explain } = setting;
  await a.die();
  const [get, post] = [send('acme'), send('acme', { method: 'POST', body: 'an order' })];
  const [upload, socket] = [await openClient(router.port), await openClient(router.port)];
  upload.send(`${head('POST /upload', 'transfer-encoding: chunked')}5\r\nfirst\r\n`);
  socket.send(
    head(
      'GET /live',
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ),
  );
  await untilHeld(4);
  expect([(await explain('acme')).epoch, b.seen]).toEqual([1, []]);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  expect([servedBy(await get), servedBy(await post)]).toEqual(['cell-b', 'cell-b']);
  upload.send('6\r\nsecond\r\n0\r\n\r\n');
  expect((await upload.answer()).status).toBe(200);
  expect((await socket.answer()).status).toBe(101);
  await socket.untilReceived('hello');
  expect(b.seen.map(({ method, body }) => `${method} ${body}`).sort()).toEqual([
    'GET ',
    'POST an order',
    'POST firstsecond',
  ]);
  upload.close();
  socket.close();
});

test('what waits is told apart by what it asks: the neighbour gets each once, as a guest', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], FOR_EVER);
  await a.die();
  const replies = Array.from(
    { length: 20 },
    async (_, i) => await setting.send('acme', { path: `/orders/${i}` }),
  );
  await setting.untilHeld(20);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  await Promise.all(replies);
  expect(b.seen.map(({ url }) => url).sort()).toEqual(
    Array.from({ length: 20 }, (_, i) => `/orders/${i}`).sort(),
  );
  expect(new Set(b.seen.map(({ headers }) => headers['x-cell-role']))).toEqual(new Set(['guest']));
});

test('a client that leaves while it waits is forgotten: its place is free, and no cell is asked for it', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], { ...FOR_EVER, HOLD_MAX: '1' });
  const { send, router, untilHeld } = setting;
  await a.die();
  const leaver = await openClient(router.port);
  leaver.send(head('GET /leaver'));
  await untilHeld(1);
  expect([502, 503]).toContain((await send('acme', { path: '/no-place' })).status);
  leaver.close();
  await untilHeld(0);
  const stayer = send('acme', { path: '/stayer' });
  await untilHeld(1);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  expect((await stayer).status).toBe(200);
  expect(b.seen.map(({ url }) => url)).toEqual(['/stayer']);
});

test('where all places are taken a request is refused at once, and may come again', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], { ...FOR_EVER, HOLD_MAX: '4' });
  await a.die();
  const held = [1, 2].map(async () => await setting.send('acme'));
  await setting.untilHeld(2);
  await until('its cell is known to be dead', async () => (await setting.opinionOf('cell-a')) === 'down');
  const refused = await setting.send('acme');
  expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([
    503,
    'cell-unavailable',
    '1',
  ]);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  expect((await Promise.all(held)).map(servedBy)).toEqual(['cell-b', 'cell-b']);
});

test('a cell without a neighbour has nobody to wait for', async () => {
  const [a] = await stubs();
  const { send, opinionOf } = await routed([a], FOR_EVER);
  await a.die();
  await until('its cell is known to be dead', async () => (await opinionOf('cell-a')) === 'down');
  const refused = await send('acme');
  expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([
    503,
    'cell-unavailable',
    '1',
  ]);
});

test('with home and neighbour dead nobody waits', async () => {
  const [a, b] = await stubs();
  const { send, opinionOf } = await routed([a, b], FOR_EVER);
  await Promise.all([a.die(), b.die()]);
  for (const cell of ['cell-a', 'cell-b'])
    await until(`${cell} is known to be dead`, async () => (await opinionOf(cell)) === 'down');
  for (const tenant of ['acme', 'bolt']) {
    const refused = await send(tenant, { method: 'POST', body: 'an order' });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
  }
});

test('a neighbour that the majority finds up again before this router does is waited for, and asked', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], { ...FOR_EVER, RISE: '100' }, { voters: 2 });
  await b.die();
  await until('the neighbour is found down', async () => (await setting.opinionOf('cell-b')) === 'down');
  expect((await setting.explain('bolt')).cell).toBe(null);
  await b.reopen();
  await until('one probe was good', async () => (await setting.explain('bolt')).cell === 'cell-b');
  await a.die();
  const waiting = setting.send('acme', { method: 'POST', body: 'an order' });
  await setting.untilHeld(1);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  expect([servedBy(await waiting), await setting.opinionOf('cell-b')]).toEqual(['cell-b', 'down']);
});

test('while a failover is held back nobody waits for it, and the refusal says why', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], FOR_EVER);
  await vote({ 'cell-a': DOWN, 'cell-b': DOWN });
  await a.die();
  const noTarget = { home: 'cell-a', why: 'no-target' };
  await until('it is held', async () => (await setting.gauge('cellgate_failover_held', noTarget)) === 1);
  const refused = await setting.send('acme');
  expect([codeOf(refused), refused.body]).toEqual(['cell-unavailable', expect.stringContaining('neighbour')]);
});

test('a wait without a verdict ends in a refusal, and the next request is not held at all', async () => {
  const [a, b] = await stubs();
  const { setting } = await quorum([a, b], { HOLD_MS: '1600', HANDOVER_MS: '100' });
  const { send, untilHeld, gauge } = setting;
  await a.die();
  const first = send('acme');
  await untilHeld(1);
  const refused = await first;
  expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([
    503,
    'cell-unavailable',
    '1',
  ]);
  let held = 0;
  const watch = (async (): Promise<void> => {
    for (let look = 0; look < 10; look += 1) held += await gauge('cellgate_held_requests');
  })();
  const next = await Promise.all([1, 2, 3].map(async () => await send('acme')));
  await watch;
  expect([next.map(({ status }) => status), held]).toEqual([[503, 503, 503], 0]);
  expect(b.seen).toEqual([]);
});

test('what one cell’s death makes wait takes nothing from another cell’s tenants', async () => {
  const [a, b] = await stubs();
  const { setting, vote } = await quorum([a, b], { ...FOR_EVER, HOLD_MAX: '2' });
  await a.die();
  const held = setting.send('acme');
  await setting.untilHeld(1);
  expect((await setting.send('bolt')).status).toBe(200);
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  expect((await held).status).toBe(200);
});

test('a cell that was away for a moment gets its waiting requests itself', async () => {
  const [a, b] = await stubs();
  const { send, untilHeld, explain } = await routed([a, b], { ...FOR_EVER, FALL: '100' });
  await a.die();
  const waiting = send('acme', { method: 'POST', body: 'an order' });
  await untilHeld(1);
  await a.reopen();
  expect(servedBy(await waiting)).toBe('cell-a');
  expect([a.seen.length, b.seen.length, (await explain('acme')).epoch]).toEqual([1, 0, 1]);
});

test('those who waited go in as the neighbour has room for guests, oldest first, and none is lost', async () => {
  const [a, b] = await stubs();
  // Two machines share it: eight for each, and half of that for guests.
  const capacity = { concurrency: 16, rps: 100, tunnels: 4 };
  const { setting, vote } = await quorum([a, b], FOR_EVER, { capacity });
  const inside: { url: string; end: () => void }[] = [];
  const usual = b.server.listeners('request') as RequestListener[];
  b.server.removeAllListeners('request');
  b.server.on('request', (request, response) => {
    if (request.url === '/health') usual[0]?.(request, response);
    else inside.push({ url: request.url ?? '', end: () => response.end('done') });
  });
  await a.die();
  const replies: Promise<Reply>[] = [];
  for (let i = 0; i < 12; i += 1) {
    replies.push(setting.send('acme', { path: `/${i}` }));
    await setting.untilHeld(i + 1);
  }
  await vote({ 'cell-a': DOWN, 'cell-b': UP });
  for (let round = 1; round <= 3; round += 1) {
    await until('the lane is full', () => inside.length === 4 * round);
    expect(await setting.gauge('cellgate_held_requests')).toBe(12 - 4 * round);
    for (const { end } of inside) end();
  }
  expect((await Promise.all(replies)).map(({ status }) => status)).toEqual(replies.map(() => 200));
  const waves = [0, 4, 8].map((from) => inside.slice(from, from + 4).map(({ url }) => url));
  const expected = [0, 4, 8].map((from) => [0, 1, 2, 3].map((i) => `/${from + i}`));
  expect(waves.map((wave) => new Set(wave))).toEqual(expected.map((wave) => new Set(wave)));
});
