// Redis gone, frozen, slow, read-only, full, emptied, restarted or flapping: no request of any tenant notices.
import { expect, onTestFinished, test } from 'vitest';
import { startDelayProxy } from '../support/delay-proxy.ts';
import { startFencedCell } from '../support/fenced-cell.ts';
import { head, openClient } from '../support/raw-http.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { codeOf, routed, type Reply, type Routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const RECORD = 'HGET {cellgate}:state record:cell-a';

type Scene = { redis: RedisProcess; setting: Routed; a: StubCell; b: StubCell };

async function stubs(): Promise<[StubCell, StubCell]> {
  const [a, b] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

async function ownRedis(): Promise<RedisProcess> {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  return redis;
}

/** `acme` is a guest of its neighbour: a router that forgot its records would send it to its dead home. */
async function failedOver(url?: (redis: RedisProcess) => Promise<string>): Promise<Scene> {
  const [redis, [a, b]] = await Promise.all([ownRedis(), stubs()]);
  const setting = await routed([a, b], { REDIS_URL: (await url?.(redis)) ?? redis.url });
  await a.die();
  await until('the neighbour serves', async () => (await setting.explain('acme')).cell === 'cell-b');
  return { redis, setting, a, b };
}

async function everybodyIsServed({ send }: Routed): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const more = i % 3 === 0 ? { method: 'POST', body: 'an order' } : {};
      return await send(i % 2 === 0 ? 'acme' : 'bolt', more);
    }),
  );
  expect(new Set(replies.map(servedBy))).toEqual(new Set(['cell-b']));
}

async function untilOld({ knowledgeAgeMs }: Routed): Promise<void> {
  await until('the knowledge grows old', async () => ((await knowledgeAgeMs()) ?? 0) > 1_500);
}

/** The store answers, has the record at its old epoch or a newer one, and is listened to. */
async function untilRecovered({ redis, setting }: Scene): Promise<void> {
  await until('the store answers again', async () => (await setting.gauge('cellgate_store_up')) === 1);
  await until('the knowledge is fresh', async () => ((await setting.knowledgeAgeMs()) ?? 9_999) < 1_500);
  await until('the record is there', async () => /"epoch":[2-9]/.test(await redis.command(RECORD)));
  await until('changes are listened to', async () => /^:[1-9]/.test(await numberOfListeners(redis)));
}

/** As `:n`; the reply names the channel first. */
async function numberOfListeners(redis: RedisProcess): Promise<string> {
  return (await redis.command('PUBSUB NUMSUB {cellgate}:changes')).split('\r\n').at(-2) ?? '';
}

function servedBy({ status, headers, body }: Reply): unknown {
  return headers['x-cell-id'] ?? codeOf({ status, headers, body });
}

test.each<[string, (redis: RedisProcess) => Promise<unknown>, (redis: RedisProcess) => Promise<unknown>]>([
  [
    'killed and restarted empty',
    async (redis) => await redis.kill('SIGKILL'),
    async (redis) => await redis.restart(),
  ],
  ['frozen', async (redis) => await redis.kill('SIGSTOP'), async (redis) => await redis.kill('SIGCONT')],
  [
    'read-only',
    async (redis) => await redis.command(`REPLICAOF 127.0.0.1 ${await freePort()}`),
    async (redis) => await redis.command('REPLICAOF NO ONE'),
  ],
  [
    'full',
    async (redis) => await redis.command('CONFIG SET maxmemory 1'),
    async (redis) => await redis.command('CONFIG SET maxmemory 0'),
  ],
])(
  'while Redis is %s the last records stand, and after it everything is as it was',
  async (_, harm, mend) => {
    const scene = await failedOver();
    await harm(scene.redis);
    await everybodyIsServed(scene.setting);
    await untilOld(scene.setting);
    await until('the store is missed', async () => (await scene.setting.gauge('cellgate_store_up')) === 0);
    await everybodyIsServed(scene.setting);
    await mend(scene.redis);
    await untilRecovered(scene);
    await everybodyIsServed(scene.setting);
    expect(await scene.setting.explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 2 });
  },
);

test('a Redis that is half a second late delays no request', async () => {
  const scene = await failedOver(async (redis) => {
    const proxy = await startDelayProxy(redis.port);
    onTestFinished(async () => await proxy.close());
    proxy.delayMs = 250;
    return `redis://127.0.0.1:${proxy.port}`;
  });
  await everybodyIsServed(scene.setting);
  expect(await scene.setting.gauge('cellgate_store_up')).toBe(1);
  await scene.a.reopen();
  await until('home serves again', async () => (await scene.setting.explain('acme')).cell === 'cell-a');
});

test('a flushed Redis gets its records back, and nobody is sent home for it', async () => {
  const scene = await failedOver();
  await scene.redis.command('FLUSHALL');
  await everybodyIsServed(scene.setting);
  await untilRecovered(scene);
  expect(await scene.setting.explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 2 });
});

test('a Redis that comes and goes changes nothing, and settles', async () => {
  const scene = await failedOver();
  for (let time = 0; time < 4; time += 1) {
    await scene.redis.kill('SIGKILL');
    await everybodyIsServed(scene.setting);
    await scene.redis.restart();
    await everybodyIsServed(scene.setting);
  }
  await untilRecovered(scene);
  expect(await scene.setting.explain('acme')).toMatchObject({ cell: 'cell-b', epoch: 2 });
});

test('after a freeze a verdict reaches the router again', async () => {
  const scene = await failedOver();
  await scene.redis.kill('SIGSTOP');
  await untilOld(scene.setting);
  await scene.redis.kill('SIGCONT');
  await untilRecovered(scene);
  await scene.a.reopen();
  await until('home serves again', async () => (await scene.setting.explain('acme')).cell === 'cell-a');
});

test('a router starts while Redis is absent, and joins it once it is there', async () => {
  const [redis, [a, b]] = await Promise.all([ownRedis(), stubs()]);
  await redis.kill('SIGKILL');
  const setting = await routed([a, b], { REDIS_URL: redis.url });
  expect([(await setting.send('acme')).status, await setting.knowledgeAgeMs()]).toEqual([200, null]);
  await redis.restart();
  await until('the store answers', async () => (await setting.gauge('cellgate_store_up')) === 1);
  await a.die();
  await until('verdicts are passed', async () => (await setting.explain('acme')).cell === 'cell-b');
});

test('a cell that dies while Redis is gone is refused at once, not waited for: its neighbour is not asked', async () => {
  const [redis, [a, b]] = await Promise.all([ownRedis(), stubs()]);
  const setting = await routed([a, b], { REDIS_URL: redis.url, HOLD_MS: '3600000' });
  await redis.kill('SIGKILL');
  await until('the store is missed', async () => (await setting.gauge('cellgate_store_up')) === 0);
  await a.die();
  await until('the death is known', async () => (await setting.opinionOf('cell-a')) === 'down');
  for (const method of ['GET', 'POST']) {
    const refused = await setting.send('acme', { method, ...(method === 'POST' ? { body: 'x' } : {}) });
    expect([refused.status, codeOf(refused)]).toEqual([503, 'cell-unavailable']);
  }
  expect([b.seen, (await setting.explain('acme')).epoch]).toEqual([[], 1]);
});

test('where the settings allow it reads go to the neighbour then, writes and WebSockets do not', async () => {
  const [redis, [a, b]] = await Promise.all([ownRedis(), stubs()]);
  const env = { REDIS_URL: redis.url, REDIS_DOWN_POLICY: 'local', REDIS_DOWN_LOCAL_MS: '100' };
  const setting = await routed([a, b], env);
  await redis.kill('SIGKILL');
  await until('the store is missed', async () => (await setting.gauge('cellgate_store_up')) === 0);
  await a.die();
  await until('a read is served', async () => (await setting.send('acme')).status === 200);
  const [seen] = b.seen;
  expect(seen?.headers).toMatchObject({
    'x-cell-role': 'guest',
    'x-cell-home': 'cell-a',
    'x-cell-epoch': '1',
  });
  const post = await setting.send('acme', { method: 'POST', body: 'x' });
  expect([post.status, codeOf(post)]).toEqual([503, 'cell-unavailable']);
  const client = await openClient(setting.router.port);
  client.send(
    head(
      'GET /live',
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: x',
    ),
  );
  expect((await client.answer()).status).toBe(503);
  client.close();
  expect((await setting.explain('acme')).epoch).toBe(1);
});

test('a fenced neighbour is not asked without a rule: it would refuse', async () => {
  const [redis, [a]] = await Promise.all([ownRedis(), stubs()]);
  const b = await startFencedCell('cell-b');
  onTestFinished(async () => await b.close());
  const env = { REDIS_URL: redis.url, REDIS_DOWN_POLICY: 'local', REDIS_DOWN_LOCAL_MS: '0' };
  const setting = await routed([a, b], env);
  await redis.kill('SIGKILL');
  await until('the store is missed', async () => (await setting.gauge('cellgate_store_up')) === 0);
  await a.die();
  await until('the death is known', async () => (await setting.opinionOf('cell-a')) === 'down');
  expect((await setting.send('acme')).status).toBe(503);
  expect(b.seen).toEqual([]);
});
