// A service on the contract plugin, level 1: whom it serves, by which rules, and who may bring them.
import { afterEach, expect, test } from 'vitest';
import type { ContractOptions, RuleStore } from '../../cell-template/contract/contract.ts';
import { readRule, type Rule } from '../../cell-template/contract/rule.ts';
import { startService, type Service } from '../support/contract-service.ts';
import { ask, openClient } from '../support/raw-http.ts';
import { ruleOf } from '../support/rules.ts';
import { until } from '../support/wait.ts';

const started: Service[] = [];
afterEach(async () => void (await Promise.all(started.splice(0).map((service) => service.close()))));

async function service(options: Partial<ContractOptions> = {}): Promise<Service> {
  const one = await startService(options);
  started.push(one);
  return one;
}

/** Rules that outlive a service: in memory, and failing on demand. */
function memory(stored: object[] = []): RuleStore & { rules: Map<string, Rule>; fails: boolean } {
  const rules = new Map<string, Rule>();
  for (const one of stored) {
    const rule = readRule(one);
    if (rule !== null) rules.set(rule.home, rule);
  }
  const store = {
    rules,
    fails: false,
    homes: ['cell-a'],
    load: async (home: string) => {
      if (store.fails) throw new Error('the store is away');
      return rules.get(home) ?? null;
    },
    save: async (rule: Rule) => {
      if (store.fails) throw new Error('the store is away');
      rules.set(rule.home, rule);
    },
  };
  return store;
}

test('health says who it is and how it is, and needs no tenant', async () => {
  const checks = async () => ({ status: 'degraded' as const, checks: { disk: 'slow' } });
  const { health } = await service({ checks, more: () => ({ caughtUp: true }) });
  expect(await health()).toEqual({
    cell: 'cell-a',
    version: '1.2.3',
    status: 'degraded',
    checks: { disk: 'slow' },
    caughtUp: true,
    epochs: {},
    rules: {},
  });
});

test('a service that is down, or can not tell, answers 503', async () => {
  const down = await service({ checks: async () => ({ status: 'down', checks: {} }) });
  const broken = await service({ checks: () => Promise.reject(new Error('no idea')) });
  const answers = await Promise.all([down, broken].map(({ url }) => fetch(`${url}/health`)));
  expect(answers.map(({ status }) => status)).toEqual([503, 503]);
});

test('without a rule it serves nobody, and names no epoch', async () => {
  const { ask } = await service();
  expect(await ask('acme')).toEqual({ status: 421, body: {} });
});

test('a home whose rule was brought is confirmed, and its tenants are served', async () => {
  const { ask, bring, health } = await service();
  const rule = ruleOf('cell-a', { epoch: 3 });
  expect(await bring(rule)).toEqual({ status: 200, body: { home: 'cell-a', epoch: 3 } });
  expect(await ask('ümläut')).toEqual({
    status: 200,
    body: { tenant: 'ümläut', home: 'cell-a', role: 'home', epoch: 3 },
  });
  expect(await health()).toMatchObject({ epochs: { 'cell-a': 3 }, rules: { 'cell-a': rule } });
});

test('a guest is served as one', async () => {
  const { ask, bring } = await service();
  await bring({
    ...ruleOf('cell-z', { share: 100, shareBefore: 100 }),
    neighbour: 'cell-a',
    target: 'cell-a',
  });
  expect((await ask('acme', { home: 'cell-z' })).body).toMatchObject({ home: 'cell-z', role: 'guest' });
});

test('who is not its own by the newest rule is refused with its epoch', async () => {
  const { ask, bring } = await service();
  await bring(ruleOf('cell-a'));
  await bring(ruleOf('cell-a', { epoch: 2, share: 100, target: 'cell-b', state: 'failed-over' }));
  expect(await ask('acme')).toEqual({ status: 421, body: { epoch: 2 } });
});

test('an older rule changes nothing, and the answer says which is known', async () => {
  const { ask, bring } = await service();
  await bring(ruleOf('cell-a', { epoch: 5 }));
  expect((await bring(ruleOf('cell-a', { epoch: 4, share: 100, target: 'cell-b' }))).body).toEqual({
    home: 'cell-a',
    epoch: 5,
  });
  expect((await ask('acme')).status).toBe(200);
});

test('a refusal comes before the body does', async () => {
  const { port } = await service();
  const client = await openClient(port);
  client.send(
    'POST /whose HTTP/1.1\r\nHost: x\r\nx-tenant-id: acme\r\nx-cell-home: cell-a\r\nContent-Length: 9\r\n\r\n',
  );
  expect((await client.answer('POST')).status).toBe(421);
  client.close();
});

test('a path that there is not is refused as well where a router asks for it', async () => {
  const { ask, url } = await service();
  expect((await ask('acme', { path: '/nowhere' })).status).toBe(421);
  expect((await fetch(`${url}/nowhere`)).status).toBe(404);
});

test('a route without the contract serves whoever asks', async () => {
  const { url } = await service();
  expect((await fetch(`${url}/open`)).status).toBe(200);
});

test('a request without a tenant is bad, but on a route that needs none', async () => {
  const { bring, url } = await service();
  await bring(ruleOf('cell-a'));
  const answers = await Promise.all(['/whose', '/login'].map((path) => fetch(url + path)));
  expect(answers.map(({ status }) => status)).toEqual([400, 200]);
});

test('a request that its router sent by an older rule is refused where the tenant has moved', async () => {
  const { ask, bring } = await service();
  const moved = [{ tenant: 'acme', to: 'cell-c' }];
  await bring(ruleOf('cell-a', { epoch: 2, moved }));
  const answers = await Promise.all([
    ask('acme', { epoch: 1 }),
    ask('acme', { epoch: 2 }),
    ask('globex', { epoch: 1 }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([421, 200, 200]);
});

test('a request whose deadline has passed is dropped', async () => {
  const { ask, bring } = await service();
  await bring(ruleOf('cell-a'));
  const by = (ms: number) => ({ headers: { 'x-cell-deadline': String(Date.now() + ms) } });
  const answers = await Promise.all([ask('acme', by(-1_000)), ask('acme', by(60_000))]);
  expect(answers.map(({ status }) => status)).toEqual([503, 200]);
});

test('after a sleep it serves nobody until the rule is brought again', async () => {
  const { ask, bring, health, sleep } = await service();
  const rule = ruleOf('cell-a');
  await bring(rule);
  sleep(501);
  expect(await ask('acme')).toEqual({ status: 421, body: { epoch: 1 } });
  expect(await health()).toMatchObject({ epochs: {}, rules: { 'cell-a': rule } });
  await bring(rule);
  expect((await ask('acme')).status).toBe(200);
});

test('a pause that is no sleep changes nothing', async () => {
  const { ask, bring, sleep } = await service();
  await bring(ruleOf('cell-a'));
  sleep(500);
  expect((await ask('acme')).status).toBe(200);
});

test('after a sleep the stored rule counts: it may have come meanwhile', async () => {
  const rules = memory();
  const { ask, bring, sleep } = await service({ rules });
  await bring(ruleOf('cell-a'));
  sleep(1_000);
  rules.rules.set('cell-a', readRule(ruleOf('cell-a', { epoch: 8 })) as Rule);
  expect((await bring(ruleOf('cell-a', { epoch: 7 }))).body).toEqual({ home: 'cell-a', epoch: 8 });
  expect((await ask('acme')).status).toBe(421);
});

test('after a restart it shows what it knew, and serves once a rule came that is no older', async () => {
  const known = ruleOf('cell-a', { epoch: 4 });
  const { ask, bring, health } = await service({ rules: memory([known]) });
  await until('the stored rule is shown', async () => 'cell-a' in ((await health())['rules'] as object));
  expect(await health()).toMatchObject({ epochs: {}, rules: { 'cell-a': known } });
  expect((await bring(ruleOf('cell-a', { epoch: 3 }))).body).toEqual({ home: 'cell-a', epoch: 4 });
  expect(await ask('acme')).toEqual({ status: 421, body: { epoch: 4 } });
  await bring(known);
  expect((await ask('acme')).status).toBe(200);
});

test('a rule that can not be stored is refused by, but nobody is served by it', async () => {
  const rules = memory();
  const { ask, bring, health } = await service({ rules });
  await bring(ruleOf('cell-a', { share: 50, shareBefore: 50, operation: 7, pins: PINNED }));
  rules.fails = true;
  expect((await bring(ruleOf('cell-a', { epoch: 2, pins: SWAPPED }))).status).toBe(503);
  const answers = await Promise.all(['home', 'away', 'both'].map((tenant) => ask(tenant)));
  expect(answers.map(({ status }) => status)).toEqual([421, 421, 200]);
  expect(answers[2]?.body).toMatchObject({ epoch: 1 });
  expect(await health()).toMatchObject({ epochs: { 'cell-a': 1 } });
});

const until9 = 9_000_000_000_000;
const PINNED = {
  home: { cell: 'cell-a', until: until9 },
  away: { cell: 'cell-b', until: until9 },
  both: { cell: 'cell-a', until: until9 },
};
const SWAPPED = { ...PINNED, home: PINNED.away, away: PINNED.home };

test('a rule is stored before it is answered', async () => {
  const rules = memory();
  const { bring } = await service({ rules });
  await bring(ruleOf('cell-a', { epoch: 6 }));
  expect(rules.rules.get('cell-a')?.epoch).toBe(6);
});

test('a rule needs the token, where there is one', async () => {
  const { bring } = await service({ token: 'a-secret' });
  const rule = ruleOf('cell-a');
  const answers = [
    await bring(rule),
    await bring(rule, { authorization: 'Bearer a-secres' }),
    await bring(rule, { authorization: 'Bearer a-secret' }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 200]);
});

test('without a token a rule is not taken from a proxy on loopback', async () => {
  const { bring } = await service();
  expect((await bring(ruleOf('cell-a'), { 'x-forwarded-for': '127.0.0.1' })).status).toBe(401);
});

test('a rule of 1 MiB is read, and a larger one is not', async () => {
  const { bring } = await service();
  const rule = JSON.stringify(ruleOf('cell-a'));
  const answers = await Promise.all(
    [1_048_576, 1_048_577].map((bytes) => bring(rule.padEnd(bytes), { 'content-type': 'application/json' })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 413]);
});

test.each([['not JSON'], ['null'], ['{}'], [JSON.stringify({ ...ruleOf('cell-a'), epoch: 0 })]])(
  '%j is not taken for a rule',
  async (body) => {
    const { bring, health } = await service();
    expect((await bring(body)).status).toBe(400);
    expect(await health()).toMatchObject({ epochs: {}, rules: {} });
  },
);

test('a tenant may be called as no member of an object may', async () => {
  const { ask, bring } = await service();
  const pins = Object.fromEntries([['__proto__', { cell: 'cell-b', until: until9 }]]);
  await bring(ruleOf('cell-a', { pins }));
  expect([(await ask('__proto__')).status, (await ask('acme')).status]).toEqual([421, 200]);
});

test('a header of a tenant that is none is bad', async () => {
  const { bring, port } = await service();
  await bring(ruleOf('cell-a'));
  const answer = await ask(port, 'GET /whose HTTP/1.1\r\nHost: x\r\nx-tenant-id: \xff\r\n\r\n');
  expect(answer.status).toBe(400);
});
