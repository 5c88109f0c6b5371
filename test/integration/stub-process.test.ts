// The level 1 stub cell keeps the contract that routers are tested against.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { initialRecord } from '../../router/health/record.ts';
import { bucketOf, xxh32 } from '../../router/placement/hash.ts';
import { startStubProcess, type StubProcess } from '../support/stub-process.ts';
import { until } from '../support/wait.ts';

let folder = '';
let stub: StubProcess;

/** The rule of `cell-a`, whose neighbour is `cell-b`. */
function rule(change: Record<string, unknown> = {}): Record<string, unknown> {
  const { since: _, cause: __, ...rest } = initialRecord('cell-a', 'cell-b');
  return { ...rest, ...change };
}

async function bring(
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const answer = await request(`${stub.origin}/.cellgate/serving`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}

async function ask(
  tenant = 'acme',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const answer = await request(`${stub.origin}/orders`, {
    headers: {
      'x-tenant-id': tenant,
      'x-cell-home': 'cell-a',
      'x-cell-role': 'home',
      'x-cell-epoch': '7',
      ...headers,
    },
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}

async function health(): Promise<Record<string, unknown>> {
  const answer = await request(`${stub.origin}/health`);
  return (await answer.body.json()) as Record<string, unknown>;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cellgate-stub-'));
  stub = await startStubProcess({ id: 'cell-a', logFile: join(folder, 'access.log') });
});

afterEach(async () => {
  await stub.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('refuses every tenant with 421 before a first rule was brought', async () => {
  expect(await ask()).toEqual({ status: 421, body: { epoch: 0 } });
  expect(await health()).toMatchObject({ cell: 'cell-a', status: 'ok', epochs: {}, rules: {} });
});

test('serves its own tenants once it has a rule, and tells it in its health', async () => {
  expect(await bring(rule({ epoch: 3 }))).toEqual({ status: 200, body: { home: 'cell-a', epoch: 3 } });
  expect((await ask()).status).toBe(200);
  expect(await health()).toMatchObject({ epochs: { 'cell-a': 3 }, rules: { 'cell-a': rule({ epoch: 3 }) } });
});

test('refuses tenants that are away by the newest rule, with its epoch', async () => {
  await bring(rule({ epoch: 4, state: 'failed-over', target: 'cell-b', share: 100 }));

  expect(await ask()).toEqual({ status: 421, body: { epoch: 4 } });
});

test('an older rule changes nothing, and is answered with the newer epoch', async () => {
  await bring(rule({ epoch: 4, state: 'failed-over', target: 'cell-b', share: 100 }));

  expect(await bring(rule({ epoch: 3 }))).toEqual({ status: 200, body: { home: 'cell-a', epoch: 4 } });
  expect((await ask()).status).toBe(421);
});

test('with a share between, each tenant is served by the cell that its slot says', async () => {
  const operation = 17;
  await bring(rule({ epoch: 5, state: 'drained', target: 'cell-b', share: 50, shareBefore: 50, operation }));
  const tenants = Array.from({ length: 20 }, (_, i) => `tenant-${i}`);
  const statuses = await Promise.all(tenants.map(async (tenant) => (await ask(tenant)).status));

  expect(statuses).toEqual(tenants.map((tenant) => (xxh32(tenant, operation) % 10_000 < 5_000 ? 421 : 200)));
});

test('while a change is closing, the tenants that change have no cell, and the others have', async () => {
  const operation = 17;
  const closing = {
    phase: 'closing',
    state: 'drained',
    target: 'cell-b',
    share: 50,
    shareBefore: 0,
    operation,
  };
  await bring(rule({ epoch: 5, ...closing }));
  const tenants = Array.from({ length: 20 }, (_, i) => `tenant-${i}`);
  const statuses = await Promise.all(tenants.map(async (tenant) => (await ask(tenant)).status));

  expect(statuses).toEqual(tenants.map((tenant) => (xxh32(tenant, operation) % 10_000 < 5_000 ? 421 : 200)));
});

test('a closing rule is answered once what was begun for its tenants is over, be its client there or not', async () => {
  await bring(rule({ epoch: 3 }));
  const client = new AbortController();
  const headers = { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a', 'x-cell-epoch': '3' };
  const left = request(`${stub.origin}/slow/800`, { headers, signal: client.signal }).catch(() => 'left');
  await until('it has begun', () => stub.served().length === 1);
  client.abort();
  await left;
  const closing = { phase: 'closing', state: 'drained', target: 'cell-b', share: 100, shareBefore: 0 };
  expect(await bring(rule({ epoch: 4, ...closing }))).toMatchObject({ status: 200, body: { epoch: 4 } });
  expect(stub.served()).toMatchObject([{ tenant: 'acme', untilMs: expect.any(Number) }]);
});

test('a closing rule that a newer one takes the place of is answered at once, with that one’s epoch', async () => {
  await bring(rule({ epoch: 3 }));
  const headers = { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a', 'x-cell-epoch': '3' };
  const slow = request(`${stub.origin}/slow/600000`, { headers }).catch(() => 'cut');
  await until('it has begun', () => stub.served().length === 1);
  const closing = { phase: 'closing', state: 'drained', target: 'cell-b', share: 100, shareBefore: 0 };
  const answer = bring(rule({ epoch: 4, ...closing }));
  await until('it knows of it', async () => JSON.stringify(await health()).includes('"closing"'));
  await bring(rule({ epoch: 5 }));
  expect(await answer).toEqual({ status: 200, body: { home: 'cell-a', epoch: 5 } });
  await stub.stop();
  await slow;
});

test('a pin beats the share, and a tenant whose pin changes has no cell meanwhile', async () => {
  const pins = { acme: { cell: 'cell-b', until: 9_000_000_000_000 } };
  await bring(rule({ epoch: 5, pins }));
  expect([(await ask('acme')).status, (await ask('bolt')).status]).toEqual([421, 200]);
  const back = { epoch: 6, phase: 'closing', pins: {}, changing: { tenants: ['acme'], buckets: [] } };
  await bring(rule(back));
  expect([(await ask('acme')).status, (await ask('bolt')).status]).toEqual([421, 200]);
  await bring(rule({ epoch: 7 }));
  expect((await ask('acme')).status).toBe(200);
});

test('buckets that are cut over have no cell meanwhile; then whoever sends them by an older rule is refused', async () => {
  const bucket = bucketOf('acme');
  const moved = [
    { buckets: [bucket, bucket], to: 'cell-c', generation: 2 },
    { tenant: 'bolt', to: 'cell-c' },
  ];
  const changing = { tenants: ['bolt'], buckets: [[bucket, bucket]] };
  await bring(rule({ epoch: 7, phase: 'closing', moved, changing }));
  const statuses = async (epoch: string): Promise<number[]> =>
    await Promise.all(
      ['acme', 'bolt', 'crow'].map(async (tenant) => (await ask(tenant, { 'x-cell-epoch': epoch })).status),
    );
  expect(await statuses('7')).toEqual([421, 421, 200]);
  await bring(rule({ epoch: 8, moved }));
  expect(await statuses('7')).toEqual([421, 421, 200]);
  // One that knows this rule has found that their home is this cell again.
  expect(await statuses('8')).toEqual([200, 200, 200]);
});

test('the slot of a tenant is that of its name’s UTF-8 bytes', async () => {
  const operation = 17;
  await bring(rule({ epoch: 5, target: 'cell-b', share: 50, shareBefore: 50, operation }));
  const tenants = Array.from({ length: 10 }, (_, i) => `テナント-${i}`);
  const statuses = await Promise.all(
    tenants.map(async (tenant) => (await ask(Buffer.from(tenant).toString('latin1'))).status),
  );
  expect(statuses).toEqual(tenants.map((tenant) => (xxh32(tenant, operation) % 10_000 < 5_000 ? 421 : 200)));
});

test('after a kill it refuses a home until a rule no older than the stored one came', async () => {
  await bring(rule({ epoch: 6 }));
  await stub.kill('SIGKILL');
  await stub.restart();

  expect(await health()).toMatchObject({ epochs: {}, rules: { 'cell-a': rule({ epoch: 6 }) } });
  expect(await ask()).toEqual({ status: 421, body: { epoch: 6 } });
  await bring(rule({ epoch: 5 }));
  expect((await ask()).status).toBe(421);
  await bring(rule({ epoch: 6 }));
  expect((await ask()).status).toBe(200);
});

test('drops what comes after its deadline, and counts it', async () => {
  await bring(rule());
  await ask('acme', { 'x-cell-deadline': String(Date.now() - 1_000) });

  expect(await stub.counters()).toMatchObject({ expired: 1, served: 0 });
  expect(stub.served()).toEqual([]);
});

test('writes down whom it served, also when it is killed', async () => {
  await bring(rule());
  await ask();
  await stub.kill('SIGKILL');

  const line = { tenant: 'acme', method: 'GET', home: 'cell-a', role: 'home', epoch: 7, cell: 'cell-a' };
  const times = { at: expect.any(Number) as number, untilMs: expect.any(Number) as number };
  expect(stub.served()).toEqual([{ ...line, ...times }]);
});

test('a request for a slow path stays inside for as long as it asks, and is written down as not done', async () => {
  await bring(rule());
  const controller = new AbortController();
  const headers = { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a' };
  const asked = request(`${stub.origin}/slow/60000`, { headers, signal: controller.signal });
  await until('it is inside', () => stub.served().length === 1);

  expect(stub.served()).toMatchObject([{ tenant: 'acme', untilMs: null }]);
  controller.abort();
  await expect(asked).rejects.toThrow();
});

test('serves a WebSocket until its client closes it, and refuses one of a tenant that is not its own', async () => {
  const headers = { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a' };
  const url = stub.origin.replace('http', 'ws');
  const early = new WebSocket(url, { headers });
  const [, refused] = (await once(early, 'unexpected-response')) as [unknown, { statusCode: number }];
  expect(refused.statusCode).toBe(421);
  early.on('error', () => undefined).terminate();

  await bring(rule());
  const socket = new WebSocket(url, { headers });
  const [frame] = (await once(socket, 'message')) as [Buffer];
  expect(String(frame)).toBe('tick');
  socket.close(1000);
  await once(socket, 'close');
  expect(stub.served()).toMatchObject([{ tenant: 'acme', cell: 'cell-a', untilMs: null }]);
});

test('sends events until its client leaves', async () => {
  await bring(rule());
  const answer = await request(`${stub.origin}/events`, {
    headers: { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a' },
  });

  expect(answer.headers['content-type']).toBe('text/event-stream');
  const [event] = (await once(answer.body, 'data')) as [Buffer];
  expect(String(event)).toBe('data: tick\n\n');
  answer.body.on('error', () => undefined).destroy();
});

test('with a token only its bearer brings rules', async () => {
  await stub.stop();
  stub = await startStubProcess({ id: 'cell-a', token: 'secret' });

  expect((await bring(rule())).status).toBe(401);
  expect((await bring(rule(), { authorization: 'Bearer secret' })).status).toBe(200);
});

test('without a token a rule that came through a proxy is refused', async () => {
  expect((await bring(rule(), { 'x-forwarded-for': '127.0.0.1' })).status).toBe(401);
});

test('a level 0 stub has no fence: it serves everybody, and says nothing of epochs', async () => {
  await stub.stop();
  stub = await startStubProcess({ id: 'cell-a', level: 0 });

  expect((await ask()).status).toBe(200);
  expect(await health()).not.toHaveProperty('epochs');
});

test('answers as it is told, from the next request on', async () => {
  await bring(rule());
  await stub.behave({ status: 503, health: 'degraded' });
  expect((await ask()).status).toBe(503);
  expect(await health()).toMatchObject({ status: 'degraded' });

  await stub.behave({ health: 'down', healthStatus: 503 });
  const answer = await request(`${stub.origin}/health`);
  await answer.body.dump();
  expect(answer.statusCode).toBe(503);
});

test('a slow-loris answer has its head long before its end', async () => {
  await bring(rule());
  await stub.behave({ dripMs: 60_000 });
  const controller = new AbortController();
  const answer = await request(`${stub.origin}/orders`, {
    headers: { 'x-tenant-id': 'acme', 'x-cell-home': 'cell-a' },
    signal: controller.signal,
  });

  expect(answer.statusCode).toBe(200);
  const body = answer.body.text();
  controller.abort();
  await expect(body).rejects.toThrow();
});

test('a frozen stub takes connections and answers none; awake again it doubts its rule until that is brought', async () => {
  await bring(rule({ epoch: 3 }));
  expect((await ask()).status).toBe(200);
  const served = stub.served().length;
  await stub.kill('SIGSTOP');
  let answered = false;
  const asked = ask().then((answer) => {
    answered = true;
    return answer;
  });
  const frozenAtMs = performance.now();
  await until('it was asleep for long enough to notice', () => performance.now() - frozenAtMs > 700);
  expect(answered).toBe(false);

  await stub.kill('SIGCONT');
  expect(await asked).toEqual({ status: 421, body: { epoch: 3 } });
  expect(stub.served()).toHaveLength(served);
  expect(await health()).toMatchObject({ epochs: {}, rules: { 'cell-a': rule({ epoch: 3 }) } });
  await bring(rule({ epoch: 3 }));
  expect((await ask()).status).toBe(200);
});
