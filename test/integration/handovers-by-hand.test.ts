// Drains, ways home and pins, asked for at the admin port: who is served where afterwards, with either store.
import { request } from 'node:http';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { operated, startOperated, STAY, WHY, type Operated } from '../support/operated.ts';
import { startRedis, type RedisProcess } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const TENANTS = Array.from({ length: 40 }, (_, i) => `tenant-${i}`);

let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
});

/** Everybody is at home again, and nobody pinned. Answers the epoch of `cell-a`. */
async function allHome({ ask, cellNow }: Operated): Promise<number> {
  for (const tenant of ['acme', 'bolt']) await ask('DELETE', `/v1/pins/${tenant}`, WHY);
  for (const cell of ['cell-a', 'cell-b']) {
    expect((await ask('POST', `/v1/cells/${cell}/restore`, WHY)).status).toBe(200);
  }
  return Number((await cellNow('cell-a'))['epoch']);
}

/** All tenants of the tests that `cell-a` is the home of. */
async function tenantsOfA({ get }: Operated): Promise<string[]> {
  const told = await Promise.all(TENANTS.map(async (tenant) => await get(`/v1/tenants/${tenant}`)));
  return told.filter(({ home }) => home === 'cell-a').map(({ tenant }) => String(tenant));
}

async function away({ servedBy }: Operated, tenants: readonly string[]): Promise<string[]> {
  const cells = await Promise.all(tenants.map(servedBy));
  expect(cells.every((cell) => cell === 'cell-a' || cell === 'cell-b')).toBe(true);
  return tenants.filter((_, i) => cells[i] === 'cell-b');
}

/** A request that is inside its cell until `end` is called. */
async function slowRequest({ router, cells }: Operated, tenant: string): Promise<{ end: () => void }> {
  let answer: (() => void) | null = null;
  cells[0]?.scripts.set('/slow', (_, response) => {
    answer = () => response.end();
  });
  const client = request(`${router.url}/slow`, { headers: { 'x-tenant-id': tenant } });
  client.on('error', () => undefined).on('response', (response) => response.resume());
  client.end();
  const end = await until('it is inside', () => answer);
  onTestFinished(() => end());
  return { end };
}

describe.each([
  ['the store in process', () => ({})],
  ['Redis', () => ({ REDIS_URL: redis.url })],
])('with %s', (_, store) => {
  let operator: Operated & { stop: () => Promise<void> };
  let epoch: number;

  beforeAll(async () => {
    operator = await startOperated({ ...store(), MIN_DWELL_MS: '100' });
  });

  beforeEach(async () => {
    epoch = await allHome(operator);
  });

  afterAll(async () => {
    await operator.stop();
  });
  test('a drain hands over a share, and a larger one all of these and more', async () => {
    const { ask, cellNow, events } = operator;
    const tenants = await tenantsOfA(operator);
    const { status, body } = await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 30 });
    expect([status, body]).toMatchObject([
      200,
      {
        home: 'cell-a',
        state: 'serving',
        phase: 'open',
        share: 30,
        target: 'cell-b',
        epoch: epoch + 2,
        operation: epoch + 1,
      },
    ]);
    const some = await away(operator, tenants);
    expect(some.length).toBeLessThan(tenants.length);
    await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 80 });
    const more = await away(operator, tenants);
    expect(more).toEqual(expect.arrayContaining(some));
    expect(more.length).toBeGreaterThan(some.length);
    expect(await cellNow('cell-a')).toMatchObject({
      share: 80,
      operation: epoch + 1,
      phase: 'open',
      pins: 0,
    });
    expect((await cellNow('cell-a'))['deadline']).toMatch(/^\d{4}-\d\d-\d\dT\S+Z$/);
    expect((await events()).slice(2, 4)).toMatchObject([
      { actor: 'anna', epoch: epoch + 2, reason: 'power works', details: { phase: 'open', share: 30 } },
      {
        actor: 'anna',
        epoch: epoch + 1,
        reason: 'power works',
        details: { phase: 'closing', owner: 'anna' },
      },
    ]);
  });

  test('a drain ends by hand, and asked for again its end changes nothing', async () => {
    const { ask } = operator;
    await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 });
    const home = {
      status: 200,
      body: { state: 'serving', share: 0, target: 'cell-a', epoch: epoch + 4, operation: null },
    };
    expect(await ask('DELETE', '/v1/cells/cell-a/drain', WHY)).toMatchObject(home);
    expect(await ask('DELETE', '/v1/cells/cell-a/drain', WHY)).toMatchObject(home);
    expect(await away(operator, ['acme', ...(await tenantsOfA(operator))])).toEqual([]);
  });

  test('the same drain again moves nobody, and only its end changes', async () => {
    const { ask } = operator;
    const first = await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 });
    const before = await away(operator, await tenantsOfA(operator));
    const again = await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50, expiresIn: 7_200 });
    expect(again).toMatchObject({ status: 200, body: { share: 50, operation: first.body['operation'] } });
    expect(Date.parse(String(again.body['deadline']))).toBeGreaterThan(
      Date.parse(String(first.body['deadline'])) + 6_000_000,
    );
    expect(await away(operator, await tenantsOfA(operator))).toEqual(before);
  });

  test('an evacuated cell is empty, takes nobody in, and is restored', async () => {
    const { ask, servedBy } = operator;
    expect(await ask('POST', '/v1/cells/cell-b/drain', { ...STAY, percent: 100 })).toMatchObject({
      status: 200,
      body: { state: 'drained', share: 100, target: 'cell-c' },
    });
    expect(await servedBy('bolt')).toBe('cell-c');
    const wish = { ...STAY, percent: 50 };
    const refused = { status: 409, body: { code: 'safety-rule', rule: 'target-not-drained' } };
    expect(await ask('POST', '/v1/cells/cell-a/drain', wish)).toMatchObject(refused);
    expect(await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' })).toMatchObject(refused);
    const overruled = await ask('POST', '/v1/cells/cell-a/drain', {
      ...wish,
      override: ['target-not-drained'],
    });
    expect(overruled).toMatchObject({ status: 200, body: { share: 50, target: 'cell-b' } });
    expect(await ask('POST', '/v1/cells/cell-b/restore', WHY)).toMatchObject({
      status: 200,
      body: { state: 'serving', share: 0 },
    });
    expect(await servedBy('bolt')).toBe('cell-b');
  });

  test('a failover by hand is restored by hand, and can not be drained', async () => {
    const { ask, servedBy } = operator;
    await ask('POST', '/v1/cells/cell-a/fail-over', STAY);
    expect(await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 })).toMatchObject({
      status: 409,
      body: { rule: 'already-away' },
    });
    expect(await ask('POST', '/v1/cells/cell-a/restore', WHY)).toMatchObject({
      status: 200,
      body: { state: 'serving', share: 0, deadline: null },
    });
    expect(await servedBy('acme')).toBe('cell-a');
  });

  test('a drain ends by itself when its time has passed', async () => {
    const { ask, cellNow, events } = operator;
    await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50, expiresIn: 1 });
    await until('all are home', async () => (await cellNow('cell-a'))['share'] === 0);
    await until('it is open', async () => (await cellNow('cell-a'))['phase'] === 'open');
    expect((await events())[0]).toMatchObject({ actor: 'quorum', cause: 'expired', to: 'serving' });
  });

  test('a pinned tenant is at the neighbour while the others are at home, and the other way round', async () => {
    const { ask, get, cellNow, servedBy } = operator;
    const others = await tenantsOfA(operator);
    const { status, body } = await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' });
    expect([status, body]).toMatchObject([
      200,
      { home: 'cell-a', share: 0, pins: { acme: { cell: 'cell-b', until: expect.stringMatching(/Z$/) } } },
    ]);
    expect(await servedBy('acme')).toBe('cell-b');
    expect(await away(operator, others)).toEqual([]);
    expect(await get('/v1/tenants/acme')).toMatchObject({
      home: 'cell-a',
      pin: 'cell-b',
      cell: 'cell-b',
      role: 'guest',
    });
    expect(await cellNow('cell-a')).toMatchObject({ pins: 1, share: 0 });

    await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-a' });
    await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 99 });
    expect(await servedBy('acme')).toBe('cell-a');
    expect(await get('/v1/tenants/acme')).toMatchObject({ pin: 'cell-a', cell: 'cell-a', role: 'home' });
    expect(await ask('DELETE', '/v1/pins/acme', WHY)).toMatchObject({
      status: 200,
      body: { pins: {}, share: 99 },
    });
    expect(await cellNow('cell-a')).toMatchObject({ pins: 0, share: 99 });
  });

  test('the pin of the fleet file shows again when the one of run time is gone', async () => {
    const { ask, get } = operator;
    await ask('PUT', '/v1/pins/bolt', { ...STAY, cell: 'cell-c' });
    expect(await get('/v1/tenants/bolt')).toMatchObject({ pin: 'cell-c' });
    await ask('DELETE', '/v1/pins/bolt', WHY);
    expect(await get('/v1/tenants/bolt')).toMatchObject({ pin: 'cell-b', cell: 'cell-b' });
  });

  test.each(['__proto__', 'constructor', 'a/b', 'café-東京'])(
    'the tenant %s can be pinned',
    async (tenant) => {
      const { ask, get } = operator;
      const path = encodeURIComponent(tenant);
      const { home, neighbour } = await get(`/v1/tenants/${path}`);
      const pinned = await ask('PUT', `/v1/pins/${path}`, { ...STAY, cell: neighbour });
      expect([pinned.status, pinned.body['home']]).toEqual([200, home]);
      expect(await get(`/v1/tenants/${path}`)).toMatchObject({ pin: neighbour, cell: neighbour });
      expect((await ask('DELETE', `/v1/pins/${path}`, WHY)).status).toBe(200);
      expect(await get(`/v1/tenants/${path}`)).toMatchObject({ pin: null, cell: home });
    },
  );

  test('a pin ends by itself when its time has passed', async () => {
    const { ask, cellNow, servedBy } = operator;
    await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b', expiresIn: 1 });
    await until('it is gone', async () => (await cellNow('cell-a'))['pins'] === 0);
    await until('acme is home', async () => (await servedBy('acme')) === 'cell-a');
  });

  test('a request that ends in time is waited for', async () => {
    const { end } = await slowRequest(operator, 'acme');
    const asked = operator.ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 100 });
    await until('it is closing', async () => (await operator.cellNow('cell-a'))['phase'] === 'closing');
    end();
    expect(await asked).toMatchObject({ status: 200, body: { share: 100, epoch: epoch + 2 } });
  });

  test('two operators at once both get what they want, one after the other', async () => {
    const { ask, cellNow } = operator;
    const answers = await Promise.all([
      ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 40 }),
      ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await cellNow('cell-a')).toMatchObject({ share: 40, pins: 1, phase: 'open' });
  });

  test('a home that has not caught up takes nobody back, but when told to', async () => {
    const { ask, cells, cellNow, untilTold } = operator;
    await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 });
    const healthOf = async (more: { version: string; caughtUp?: boolean }): Promise<void> => {
      const [a] = cells;
      if (a !== undefined) a.health.body = { cell: 'cell-a', status: 'ok', checks: {}, ...more };
      await until('it is heard', async () => (await cellNow('cell-a'))['version'] === more.version);
      await untilTold();
    };
    await healthOf({ version: '1.0.1', caughtUp: false });
    const refused = { status: 409, body: { code: 'safety-rule', rule: 'caught-up' } };
    expect(await ask('POST', '/v1/cells/cell-a/restore', WHY)).toMatchObject(refused);
    const told = await ask('POST', '/v1/cells/cell-a/restore', { ...WHY, override: ['caught-up'] });
    expect(told).toMatchObject({ status: 200, body: { share: 0 } });
    await healthOf({ version: '1.0.0' });
  });
});

test('a pin that a tenant left behind in its old home is taken away, after the one of its own', async () => {
  const { router, ask, get, cellNow } = await operated();
  await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' });
  const file = await readFile(router.fleetFile, 'utf8');
  await router.writeFleet(file.replace('acme: cell-a', 'acme: cell-c'));
  await until('acme has its new home', async () => (await get('/v1/tenants/acme'))['home'] === 'cell-c');
  await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-a' });
  for (const home of ['cell-c', 'cell-a']) {
    expect((await cellNow(home))['pins']).toBe(1);
    const unpinned = await ask('DELETE', '/v1/pins/acme', WHY);
    expect(unpinned).toMatchObject({ status: 200, body: { home, pins: {} } });
    expect((await cellNow(home))['pins']).toBe(0);
  }
  expect(await ask('DELETE', '/v1/pins/acme', WHY)).toMatchObject({ status: 200, body: { home: 'cell-c' } });
});

test('what a request inside holds up is undone, and says so', async () => {
  const operator = await operated({ HANDOVER_MS: '200' });
  const { ask, cellNow, servedBy } = operator;
  const { end } = await slowRequest(operator, 'acme');
  const refused = await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 100 });
  expect(refused).toMatchObject({
    status: 503,
    body: { code: 'handover-undone', waitingFor: expect.arrayContaining(['router-1: requests inside']) },
  });
  expect(await cellNow('cell-a')).toMatchObject({ share: 0, phase: 'open', state: 'serving' });
  expect(await servedBy('acme')).toBe('cell-a');
  end();
  expect(await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 100 })).toMatchObject({
    status: 200,
  });
});

test('without Redis nothing is handed over, and it says so', async () => {
  const own = await startRedis();
  onTestFinished(async () => await own.stop());
  const { ask, cellNow, servedBy } = await operated({ REDIS_URL: own.url });
  await own.kill('SIGKILL');
  for (const [method, path, body] of [
    ['POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 }],
    ['PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' }],
    ['POST', '/v1/cells/cell-a/fail-over', STAY],
  ] as const) {
    const { status, body: told } = await ask(method, path, body);
    expect([status, told['code']]).toEqual([503, 'store-unavailable']);
    expect(told['title']).toMatch(/^The store of the verdicts does not answer: Redis [^.]+\.$/);
  }
  expect(await cellNow('cell-a')).toMatchObject({ epoch: 1 });
  expect(await servedBy('acme')).toBe('cell-a');
});

test('Redis lost in the middle of a handover is told as that', async () => {
  const own = await startRedis();
  onTestFinished(async () => await own.stop());
  const operator = await operated({ REDIS_URL: own.url });
  await slowRequest(operator, 'acme');
  const asked = operator.ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 100 });
  await until('it is closing', async () => (await operator.cellNow('cell-a'))['phase'] === 'closing');
  await own.kill('SIGKILL');
  const { status, body } = await asked;
  expect([status, body['code']]).toEqual([503, 'store-unavailable']);
  expect(body['title']).toMatch(/^Nobody told in time how the handover ended\. /);
});
