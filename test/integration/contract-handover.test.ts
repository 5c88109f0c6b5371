// A service on the contract plugin in a handover: what it waits for, what it does not, and what it answers.
import { afterEach, expect, test } from 'vitest';
import type { ContractOptions } from '../../cell-template/contract/contract.ts';
import { readRule, type Rule } from '../../cell-template/contract/rule.ts';
import type { Rule as Brought } from '../../router/health/record.ts';
import { startService, type Service } from '../support/contract-service.ts';
import { openClient } from '../support/raw-http.ts';
import { ruleOf } from '../support/rules.ts';
import { until } from '../support/wait.ts';

const started: Service[] = [];
afterEach(async () => void (await Promise.all(started.splice(0).map((service) => service.close()))));

const OPEN = ruleOf('cell-a');
/** `acme` is given to the neighbour, and everybody else stays. */
const CLOSING = ruleOf('cell-a', {
  epoch: 2,
  phase: 'closing',
  pins: { acme: { cell: 'cell-b', until: 9_000_000_000_000 } },
  changing: { tenants: ['acme'], buckets: [] },
});
const AWAY = { ...CLOSING, epoch: 3, phase: 'open', changing: null } satisfies Brought;
const UNDONE = { ...OPEN, epoch: 3 };

/** A service that serves all of its tenants. */
async function serving(options: Partial<ContractOptions> = {}): Promise<Service> {
  const service = await startService(options);
  started.push(service);
  await service.bring(OPEN);
  return service;
}

/** Whether something was answered by now, and the answer. */
function watched<T>(promise: Promise<T>): { promise: Promise<T>; settled: () => boolean } {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  return { promise, settled: () => settled };
}

/** Whether the tenant is refused by now: then the closing rule is in force. */
async function untilRefused(service: Service, tenant: string): Promise<void> {
  await until('the tenant is refused', async () => (await service.ask(tenant)).status === 421);
}

test('in closing it refuses who changes, and goes on serving the others', async () => {
  const { ask, bring } = await serving();
  expect(await bring(CLOSING)).toEqual({ status: 200, body: { home: 'cell-a', epoch: 2 } });
  expect([await ask('acme'), (await ask('globex')).status]).toEqual([
    { status: 421, body: { epoch: 2 } },
    200,
  ]);
});

test.each(['/work', '/work-by-callback'])(
  'closing waits for %s that was begun, and for nobody else',
  async (path) => {
    const service = await serving();
    const asked = [service.ask('acme', { path }), service.ask('globex', { path })];
    await until('both have begun', () => service.working.size === 2);
    const closing = watched(service.bring(CLOSING));
    await untilRefused(service, 'acme');
    expect(closing.settled()).toBe(false);
    service.working.get('acme')?.();
    expect((await closing.promise).body).toEqual({ home: 'cell-a', epoch: 2 });
    service.working.get('globex')?.();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
  },
);

test.each(['/work', '/work-by-callback'])('closing waits for %s whose client has left', async (path) => {
  const service = await serving();
  const leave = new AbortController();
  const asked = service.ask('acme', { path, signal: leave.signal }).catch(() => 'left');
  await until('it has begun', () => service.working.has('acme'));
  leave.abort();
  expect(await asked).toBe('left');
  await until('the cell knows that it has left', () => service.left.has('acme'));
  const closing = watched(service.bring(CLOSING));
  await untilRefused(service, 'acme');
  expect(closing.settled()).toBe(false);
  service.working.get('acme')?.();
  expect((await closing.promise).status).toBe(200);
});

test('a body that comes slowly does not hold a handover up, and is refused when it is there', async () => {
  const { bring, port } = await serving();
  const client = await openClient(port);
  const head = ['Host: x', 'x-tenant-id: acme', 'Content-Type: application/json', 'Content-Length: 2'];
  client.send(`POST /whose HTTP/1.1\r\n${head.join('\r\n')}\r\nExpect: 100-continue\r\n\r\n`);
  // It was let through: its body is asked for.
  await client.untilReceived('100 Continue');
  expect((await bring(CLOSING)).status).toBe(200);
  client.send('{}');
  expect((await client.answer('POST')).status).toBe(421);
  client.close();
});

test('an event stream does not hold a handover up', async () => {
  const service = await serving();
  const stream = await fetch(`${service.url}/stream`, { headers: { 'x-tenant-id': 'acme' } });
  expect((await service.bring(CLOSING)).status).toBe(200);
  await stream.body?.cancel();
});

test('work beside requests is waited for as well', async () => {
  const service = await serving();
  const { contract } = service.app;
  const over = contract.begin('cell-a', 'acme');
  const closing = watched(service.bring(CLOSING));
  await untilRefused(service, 'acme');
  expect([closing.settled(), contract.isOwn('cell-a', 'acme'), contract.begin('cell-a', 'acme')]).toEqual([
    false,
    false,
    null,
  ]);
  over?.();
  expect((await closing.promise).status).toBe(200);
});

test.each([
  ['HEAD', '/by-callback'],
  ['GET', '/by-callback'],
  ['GET', '/taken-over'],
  ['GET', '/whose'],
])('after %s %s nothing is under way', async (method, path) => {
  const service = await serving();
  expect((await fetch(service.url + path, { method, headers: { 'x-tenant-id': 'acme' } })).status).toBe(200);
  expect((await service.bring(CLOSING)).status).toBe(200);
});

test('work that fails is over, too', async () => {
  const service = await serving();
  const failed = await service.ask('acme', { path: '/failing' });
  expect(failed.status).toBe(500);
  expect((await service.bring(CLOSING)).status).toBe(200);
});

test('an undo is answered at once, has the tenants served again, and ends the waiting for the handover', async () => {
  const service = await serving();
  const asked = service.ask('acme', { path: '/work' });
  await until('it has begun', () => service.working.has('acme'));
  const closing = watched(service.bring(CLOSING));
  await untilRefused(service, 'acme');
  expect((await service.bring(UNDONE)).body).toEqual({ home: 'cell-a', epoch: 3 });
  expect((await closing.promise).body).toEqual({ home: 'cell-a', epoch: 3 });
  expect((await service.ask('acme')).status).toBe(200);
  service.working.get('acme')?.();
  await asked;
});

test('the losing cell answers with its position, asked when nothing is under way any more', async () => {
  const asked: [string[], number][] = [];
  const working: string[] = [];
  const service = await serving({
    position: async ({ epoch }) => {
      asked.push([[...working], epoch]);
      return 'up-to-here';
    },
  });
  const over = service.app.contract.begin('cell-a', 'acme');
  working.push('acme');
  const closing = service.bring(CLOSING);
  await untilRefused(service, 'acme');
  working.pop();
  over?.();
  expect((await closing).body).toEqual({ home: 'cell-a', epoch: 2, position: 'up-to-here' });
  expect(asked).toEqual([[[], 2]]);
});

test('a position that can not be told is no answer', async () => {
  const { bring } = await serving({ position: () => Promise.reject(new Error('the database is away')) });
  expect((await bring(CLOSING)).status).toBe(503);
});

test('a cell that can only gain is not asked for a position', async () => {
  const { bring } = await serving({ position: async () => 'mine' });
  const gaining = { phase: 'closing', share: 0, shareBefore: 100 } as const;
  expect((await bring(ruleOf('cell-a', { epoch: 2, ...gaining }))).body).toEqual({
    home: 'cell-a',
    epoch: 2,
  });
});

/** A gaining cell that has applied a position when the test says so. */
async function applying(): Promise<{ service: Service; calls: Applying[] }> {
  const calls: Applying[] = [];
  const service = await serving({
    applied: (rule, position, signal) =>
      new Promise((resolve, reject) => {
        calls.push({ rule, position, signal, apply: resolve });
        signal.addEventListener('abort', () => reject(new Error('in vain')));
      }),
  });
  return { service, calls };
}

type Applying = { rule: Rule; position: string; signal: AbortSignal; apply: () => void };

test('the gaining cell answers once it has applied the position, and refuses until the open rule', async () => {
  const { service, calls } = await applying();
  const closing = watched(service.bring({ ...CLOSING, position: 'up-to-here' }));
  await until('it is asked to apply', () => calls.length === 1);
  expect([calls[0]?.position, closing.settled()]).toEqual(['up-to-here', false]);
  calls[0]?.apply();
  expect((await closing.promise).body).toEqual({ home: 'cell-a', epoch: 2 });
  expect((await service.ask('acme')).status).toBe(421);
});

test('a newer rule ends the waiting of the gaining cell', async () => {
  const { service, calls } = await applying();
  const closing = service.bring({ ...CLOSING, position: 'up-to-here' });
  await until('it is asked to apply', () => calls.length === 1);
  service.app.contract.learn(readRule(AWAY) as Rule);
  expect((await closing).body).toEqual({ home: 'cell-a', epoch: 3 });
  expect(calls[0]?.signal.aborted).toBe(true);
});

test('a router that gives up ends the waiting of the gaining cell', async () => {
  const { service, calls } = await applying();
  const client = await openClient(service.port);
  const body = JSON.stringify({ ...CLOSING, position: 'up-to-here' });
  client.send(`PUT /.cellgate/serving HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await until('it is asked to apply', () => calls.length === 1);
  client.close();
  await until('it is told', () => calls[0]?.signal.aborted);
});

test('a rule that came in another way is refused by at once, and confirms no home', async () => {
  const { app, ask, sleep } = await serving();
  app.contract.learn(readRule(AWAY) as Rule);
  expect([(await ask('acme')).status, (await ask('globex')).status]).toEqual([421, 200]);
  sleep(1_000);
  app.contract.learn(readRule({ ...UNDONE, epoch: 4 }) as Rule);
  expect([app.contract.isConfirmed('cell-a'), app.contract.isOwn('cell-a', 'acme')]).toEqual([false, false]);
  expect(await ask('acme')).toEqual({ status: 421, body: { epoch: 4 } });
});

test('a rule that is stored while a newer one comes in another way confirms nothing', async () => {
  const saved = Promise.withResolvers<void>();
  const service = await startService({
    rules: { load: async () => null, save: async () => await saved.promise },
  });
  started.push(service);
  const { contract } = service.app;
  const brought = service.bring(OPEN);
  await until('it is on its way into the store', () => contract.epochOf('cell-a') === 1);
  contract.learn(readRule(AWAY) as Rule);
  saved.resolve();
  expect((await brought).body).toEqual({ home: 'cell-a', epoch: 3 });
  expect(contract.isConfirmed('cell-a')).toBe(false);
});

test('who listens hears of each rule, and by then it is gone by', async () => {
  const { app, bring } = await serving();
  const heard: [number, boolean][] = [];
  app.contract.onRule(({ home, epoch }) => heard.push([epoch, app.contract.isOwn(home, 'acme')]));
  await bring(CLOSING);
  await bring({ ...OPEN, epoch: 3 });
  expect(heard[0]).toEqual([2, false]);
  expect(heard.at(-1)).toEqual([3, true]);
});
