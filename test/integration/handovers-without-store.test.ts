// A handover whose store is lost amid it: what is handed over waits, until its cells show how it ended, or in vain.
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { closing, opened, undone } from '../../router/health/verdicts/handover.ts';
import { createRedisStore, type RedisStore } from '../../router/health/redis/redis-store.ts';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { codeOf, routed, startVoter, type Reply, type Routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

const PATIENT = { HANDOVER_MS: '3600000', HOLD_MS: '7200000' };
const HOME = { ...initialRecord('cell-a', 'cell-b'), epoch: 2 };
const OTHER = initialRecord('cell-b', 'cell-a');

type Setting = Routed & { a: FencedCell; b: FencedCell; redis: RedisProcess; store: RedisStore };

/** All of cell-a's tenants are to go to cell-b, for as long as a test takes. */
function evacuating(): HealthRecord {
  const now = Date.now();
  const terms = { until: now + 3_600_000, actor: 'anna', reason: 'test', to: null };
  return closing(HOME, { share: 100 }, null, terms, now);
}

/** A router and another machine that confirms nothing, so that no handover ends by itself. */
async function setUp(env: Record<string, string>): Promise<Setting> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const prefix = randomUUID();
  await startVoter(redis.url, prefix);
  const store = createRedisStore({ url: redis.url, prefix });
  onTestFinished(() => store.close());
  const [a, b] = await Promise.all([startFencedCell('cell-a'), startFencedCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const setting = await routed([a, b], { REDIS_URL: redis.url, REDIS_PREFIX: prefix, ...env });
  await store.restore([HOME], 1);
  await untilEpoch(setting, 2);
  await untilBoth(a, b, 2);
  return { ...setting, a, b, redis, store };
}

async function untilEpoch({ gauge }: Pick<Routed, 'gauge'>, epoch: number): Promise<void> {
  await until(`epoch ${epoch} is followed`, async () => {
    return (await gauge('cellgate_home_epoch', { home: 'cell-a' })) === epoch;
  });
}

async function untilBoth(a: FencedCell, b: FencedCell, epoch: number): Promise<void> {
  await until(`both cells know epoch ${epoch}`, () =>
    [a, b].every(({ rules }) => rules.get('cell-a')?.epoch === epoch),
  );
}

async function loseStore({ redis, gauge }: Setting): Promise<void> {
  await redis.kill('SIGKILL');
  await until('the router knows', async () => (await gauge('cellgate_store_up')) === 0);
}

function told(reply: Reply): unknown {
  return [reply.status, reply.headers['x-cell-id'] ?? codeOf(reply)];
}

test.each<[string, (record: HealthRecord) => HealthRecord, string]>([
  ['was opened', (record) => opened(record, 0), 'cell-b'],
  ['was undone', (record) => undone(record, 0), 'cell-a'],
])('what waits goes on when both cells show that the handover %s', async (_, end, cell) => {
  const setting = await setUp(PATIENT);
  const { a, b, store, send, untilHeld } = setting;
  const record = evacuating();
  await store.restore([record], 2);
  await untilEpoch(setting, 3);
  const waiting = send('acme', { method: 'POST', body: 'an order' });
  await untilHeld(1);
  await loseStore(setting);
  expect(await setting.gauge('cellgate_held_requests', { cell: 'moving:cell-a' })).toBe(1);
  for (const one of [a, b]) one.show([end(record), OTHER]);
  expect(told(await waiting)).toEqual([200, cell]);
  expect([...a.seen, ...b.seen].map(({ body }) => body)).toEqual(['an order']);
});

test('one of the two cells alone does not end it', async () => {
  const setting = await setUp(PATIENT);
  const { a, b, store, send, untilHeld } = setting;
  const record = evacuating();
  await store.restore([record], 2);
  await untilEpoch(setting, 3);
  await untilBoth(a, b, 3);
  const waiting = send('acme');
  await untilHeld(1);
  await loseStore(setting);
  let probes = 0;
  b.server.on('request', ({ url }) => (probes += url === '/health' ? 1 : 0));
  b.show([opened(record, 0), OTHER]);
  await until('it was asked again and again', () => probes >= 5);
  expect([await setting.gauge('cellgate_held_requests'), b.seen]).toEqual([1, []]);
  a.show([opened(record, 0), OTHER]);
  expect(told(await waiting)).toEqual([200, 'cell-b']);
});

test('what waits in vain is refused as moving, and the next one waits as well', async () => {
  const setting = await setUp({ HANDOVER_MS: '100', HOLD_MS: '1600' });
  const { store, send, untilHeld } = setting;
  await store.restore([evacuating()], 2);
  await untilEpoch(setting, 3);
  await loseStore(setting);
  const first = send('acme');
  await untilHeld(1);
  const refused = await first;
  expect([told(refused), refused.headers['retry-after']]).toEqual([[503, 'placement-moving'], '1']);
  const second = send('acme');
  await untilHeld(1);
  expect(told(await send('bolt'))).toEqual([200, 'cell-b']);
  expect(told(await second)).toEqual([503, 'placement-moving']);
});

test('a request that met a closing rule which this router never heard of waits until a cell shows the end', async () => {
  const setting = await setUp(PATIENT);
  const { a, b, send, untilHeld } = setting;
  await loseStore(setting);
  const record = evacuating();
  // Its health does not show it yet.
  a.rules.set('cell-a', record);
  const waiting = send('acme', { method: 'POST', body: 'an order' });
  await untilHeld(1);
  expect([a.refused, b.seen]).toEqual([['/orders'], []]);
  for (const one of [a, b]) one.show([opened(record, 0), OTHER]);
  expect(told(await waiting)).toEqual([200, 'cell-b']);
  expect(b.seen.map(({ body }) => body)).toEqual(['an order']);
});

test('with a store it waits until that tells, and is refused by no cell again', async () => {
  const setting = await setUp(PATIENT);
  const { a, b, store, send, untilHeld } = setting;
  const record = evacuating();
  a.rules.set('cell-a', record);
  const waiting = send('acme');
  await untilHeld(1);
  await store.restore([record], 2);
  await untilEpoch(setting, 3);
  await untilHeld(1);
  await store.restore([opened(record, 0)], 3);
  expect(told(await waiting)).toEqual([200, 'cell-b']);
  expect([a.refused, b.refused]).toEqual([['/orders'], []]);
});
