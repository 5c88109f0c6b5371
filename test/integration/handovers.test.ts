// A handover at a real router with fenced cells: what waits, what is waited for, and where it goes at the end.
import { get, type RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { slotOf } from '../../router/health/verdicts/served-by.ts';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { drain, order, WITH_OPERATOR } from '../support/operator.ts';
import { codeOf, routed, type Reply, type Routed } from '../support/routed.ts';
import { fleetOf } from '../support/router.ts';
import { startStubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';
import { fleetFrom } from '../unit/router/fleet/fleets.ts';

/** Longer than any test: what ends in one ends for another reason. */
const PATIENT = { HANDOVER_MS: '3600000', HOLD_MS: '7200000', RECONNECT_SPREAD_MS: '0' };
const QUICK = { HANDOVER_MS: '300', HOLD_MS: '7200000' };

type Setting = Routed & { a: FencedCell; b: FencedCell };

/** `acme` and `echo` are at home in cell-a, `bolt` in cell-b. By the slots of operation 2 echo goes with 30 %, acme stays. */
async function pair(env: Record<string, string>): Promise<Setting> {
  const [a, b] = await Promise.all([startFencedCell('cell-a'), startFencedCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const pins = { acme: 'cell-a', echo: 'cell-a', bolt: 'cell-b' };
  const setting = await routed([a, b], { ...WITH_OPERATOR, ...env }, { fleet: { pins } });
  for (const cell of ['cell-a', 'cell-b']) {
    await until(`${cell} is up`, async () => (await setting.opinionOf(cell)) === 'up');
  }
  await until('both know both homes', () => [a, b].every(({ rules }) => rules.size === 2));
  return { ...setting, a, b };
}

/** Until it is opened, the cell takes no closing rule: no handover can end but by its time. */
function gate(cell: FencedCell): () => void {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  cell.beforeTaking = async ({ phase }) => (phase === 'closing' ? await opened : undefined);
  onTestFinished(() => open());
  return () => open();
}

async function untilEpoch({ gauge }: Setting, epoch: number): Promise<void> {
  await until(`epoch ${epoch} is followed`, async () => {
    return (await gauge('cellgate_home_epoch', { home: 'cell-a' })) === epoch;
  });
}

/** Time in which a handover that nothing hinders would have ended. */
async function untilProbed(cell: FencedCell, times: number): Promise<void> {
  let probes = 0;
  const count: RequestListener = ({ url }) => void (probes += url === '/health' ? 1 : 0);
  cell.server.on('request', count);
  await until('the cell was asked again and again', () => probes >= times);
  cell.server.off('request', count);
}

/** Requests for `/slow` stay inside the cell until they are let out. */
function keepsInside(cell: FencedCell): (() => void)[] {
  const inside: (() => void)[] = [];
  cell.scripts.set('/slow', (request, response) => {
    request.resume();
    inside.push(() => response.end('slow'));
  });
  return inside;
}

/** A tenant that the buckets have at home in this cell. */
function tenantAt(home: string, cells: readonly FencedCell[]): string {
  const origins = Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }]));
  const { placement } = fleetFrom(fleetOf(origins));
  const names = Array.from({ length: 100 }, (_, i) => `tenant-${i}`);
  return names.find((name) => placement.locate(name).home === home) ?? '';
}

function told(reply: Reply): unknown {
  return [reply.status, reply.headers['x-cell-id'] ?? codeOf(reply)];
}

function slotsSeen({ seen }: FencedCell): unknown[] {
  return seen.map(({ headers }) => headers['x-cell-slot']);
}

test('requests of tenants that are handed over wait, and go to the gaining cell, bodies and all', async () => {
  const setting = await pair(PATIENT);
  const { a, b, router, send, untilHeld, explain } = setting;
  const open = gate(a);
  const drained = drain(router, 'cell-a', 100);
  await untilEpoch(setting, 2);
  expect(await explain('acme')).toMatchObject({ cell: null, role: null, epoch: 2 });
  const waiting = [send('acme'), send('echo', { method: 'POST', body: 'an order' })];
  await untilHeld(2);
  expect(told(await send('bolt'))).toEqual([200, 'cell-b']);
  open();
  expect((await Promise.all(waiting)).map(told)).toEqual([
    [200, 'cell-b'],
    [200, 'cell-b'],
  ]);
  expect(await drained).toMatchObject({ status: 200, body: { state: 'drained', share: 100, epoch: 3 } });
  expect(b.seen.map(({ method, body }) => `${method} ${body}`).sort()).toEqual([
    'GET ',
    'GET ',
    'POST an order',
  ]);
  expect([a.seen, a.refused, b.refused]).toEqual([[], [], []]);
});

test('when it is undone they go to the cell that had them, in their order', async () => {
  const setting = await pair({ HANDOVER_MS: '3000', HOLD_MS: '7200000' });
  const { a, b, router, send, untilHeld } = setting;
  gate(a);
  drain(router, 'cell-a', 100).catch(() => undefined);
  const paths = Array.from({ length: 10 }, (_, i) => `/orders/${i}`);
  const replies: Promise<Reply>[] = [];
  await untilEpoch(setting, 2);
  for (const path of paths) {
    replies.push(send('acme', { path }));
    await untilHeld(replies.length);
  }
  expect((await Promise.all(replies)).map(told)).toEqual(paths.map(() => [200, 'cell-a']));
  expect(a.seen.map(({ url }) => url)).toEqual(paths);
  expect([b.seen, a.refused, b.refused]).toEqual([[], [], []]);
});

test('what is inside the losing cell is waited for, and answered by it', async () => {
  const setting = await pair(PATIENT);
  const { a, b, router, send } = setting;
  const inside = keepsInside(a);
  const slow = send('acme', { method: 'POST', path: '/slow', body: 'an order' });
  await until('it is inside', () => inside.length === 1);
  const drained = drain(router, 'cell-a', 100);
  await until('both cells have the closing rule', () =>
    [a, b].every(({ rules }) => rules.get('cell-a')?.phase === 'closing'),
  );
  await untilProbed(a, 5);
  expect(await setting.gauge('cellgate_home_epoch', { home: 'cell-a' })).toBe(2);
  inside[0]?.();
  expect(told(await slow)).toEqual([200, 'cell-a']);
  expect((await drained).status).toBe(200);
  expect(told(await send('acme'))).toEqual([200, 'cell-b']);
});

test('one that is inside for too long has the handover undone, and it is said who waited', async () => {
  const { a, router, send, explain } = await pair(QUICK);
  const inside = keepsInside(a);
  const slow = send('acme', { path: '/slow' });
  await until('it is inside', () => inside.length === 1);
  expect(await drain(router, 'cell-a', 100)).toMatchObject({
    status: 503,
    body: { code: 'handover-undone', waitingFor: ['router-1: requests inside'] },
  });
  expect(await explain('acme')).toMatchObject({ cell: 'cell-a' });
  inside[0]?.();
  expect(told(await slow)).toEqual([200, 'cell-a']);
});

test('a client that leaves frees its place', async () => {
  const { a, router } = await pair(PATIENT);
  const inside = keepsInside(a);
  const client = get(`${router.url}/slow`, { headers: { 'x-tenant-id': 'acme' } });
  client.on('error', () => undefined);
  await until('it is inside', () => inside.length === 1);
  const drained = drain(router, 'cell-a', 100);
  await until('the cell has the closing rule', () => a.rules.get('cell-a')?.phase === 'closing');
  client.destroy();
  expect((await drained).status).toBe(200);
});

test('tenants that stay are not held, nor is what they have inside waited for', async () => {
  const setting = await pair(PATIENT);
  const { a, router, send, untilHeld } = setting;
  const inside = keepsInside(a);
  const slow = send('acme', { path: '/slow' });
  await until('it is inside', () => inside.length === 1);
  const open = gate(a);
  const drained = drain(router, 'cell-a', 30);
  await untilEpoch(setting, 2);
  const waiting = send('echo');
  await untilHeld(1);
  expect(told(await send('acme'))).toEqual([200, 'cell-a']);
  open();
  expect(told(await waiting)).toEqual([200, 'cell-b']);
  expect((await drained).status).toBe(200);
  inside[0]?.();
  expect(told(await slow)).toEqual([200, 'cell-a']);
});

test('the slot is told during an operation, and only then', async () => {
  const { a, b, router, send } = await pair(PATIENT);
  await send('acme');
  await drain(router, 'cell-a', 30);
  await Promise.all([send('acme'), send('echo'), send('bolt')]);
  expect(slotsSeen(a)).toEqual([undefined, String(slotOf('acme', 2))]);
  expect(new Set(slotsSeen(b))).toEqual(new Set([String(slotOf('echo', 2)), undefined]));
  expect((await order(router, 'DELETE', '/v1/cells/cell-a/drain')).status).toBe(200);
  await Promise.all([send('acme'), send('echo')]);
  expect(slotsSeen(a).slice(2)).toEqual([undefined, undefined]);
});

test('the gaining cell is brought the losing one’s position, and the handover waits until it has all up to there', async () => {
  const { a, b, router, gauge } = await pair(PATIENT);
  a.position = '0/16B3748';
  let apply = (): void => undefined;
  const applied = new Promise<void>((resolve) => (apply = resolve));
  b.beforeTaking = async ({ position }) => (position === null ? undefined : await applied);
  const drained = drain(router, 'cell-a', 100);
  await until('it is brought the position', () =>
    b.brought.some(({ rule }) => rule.position === '0/16B3748' && rule.phase === 'closing'),
  );
  await untilProbed(b, 5);
  expect(await gauge('cellgate_home_epoch', { home: 'cell-a' })).toBe(2);
  apply();
  expect((await drained).status).toBe(200);
});

test('cells of contract level 0 take part without a word', async () => {
  const [a, b] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const { router, opinionOf, send } = await routed([a, b], { ...WITH_OPERATOR, ...PATIENT });
  await until('the neighbour is up', async () => (await opinionOf('cell-b')) === 'up');
  expect((await drain(router, 'cell-a', 100)).status).toBe(200);
  expect(told(await send('acme'))).toEqual([200, 'cell-b']);
});

test('a tenant is pinned to the neighbour and back, and the others stay where they are', async () => {
  const { a, b, router, send } = await pair(PATIENT);
  const wish = { cell: 'cell-b', expiresIn: 86_400 };
  expect((await order(router, 'PUT', '/v1/pins/acme', wish)).status).toBe(200);
  expect([told(await send('acme')), told(await send('echo'))]).toEqual([
    [200, 'cell-b'],
    [200, 'cell-a'],
  ]);
  expect(b.seen.map(({ headers }) => headers['x-cell-role'])).toEqual(['guest']);
  expect((await order(router, 'DELETE', '/v1/pins/acme')).status).toBe(200);
  expect(told(await send('acme'))).toEqual([200, 'cell-a']);
  expect([a.refused, b.refused]).toEqual([[], []]);
});

test('what waits while its tenant is cut over goes to the new home, and is at home there', async () => {
  const cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => startFencedCell(id)));
  onTestFinished(async () => void (await Promise.all(cells.map((cell) => cell.close()))));
  const [a, , c] = cells as [FencedCell, FencedCell, FencedCell];
  const tenant = tenantAt('cell-a', cells);
  const fleet = { pins: { [tenant]: { cell: 'cell-c', settled: false } } };
  const setting = await routed(cells, { ...WITH_OPERATOR, ...PATIENT }, { fleet });
  await until('all are up', async () =>
    (await Promise.all(cells.map(({ id }) => setting.opinionOf(id)))).every((one) => one === 'up'),
  );
  await until('all know their homes', () => cells.every(({ rules }) => rules.size >= 2));
  const open = gate(a);
  const cut = order(setting.router, 'POST', '/v1/buckets/cut-over', { tenants: [tenant], to: 'cell-c' });
  await until('it is closing', async () => (await setting.explain(tenant)).cell === null);
  const waiting = setting.send(tenant, { method: 'POST', body: 'an order' });
  await setting.untilHeld(1);
  open();
  expect(told(await waiting)).toEqual([200, 'cell-c']);
  expect((await cut).status).toBe(200);
  expect(c.seen.map(({ headers }) => [headers['x-cell-home'], headers['x-cell-role']])).toEqual([
    ['cell-c', 'home'],
  ]);
  expect(cells.flatMap(({ refused }) => refused)).toEqual([]);
});

test('under load no request fails when a share goes and comes back, and nobody refuses one', async () => {
  const { a, b, router, send } = await pair({ HANDOVER_MS: '2000', HOLD_MS: '7200000' });
  const load = { over: false };
  const replies: Reply[] = [];
  const work = async (tenant: string): Promise<void> => {
    for (let i = 0; !load.over; i += 1) {
      const post = { method: 'POST', body: `order ${i}` };
      replies.push(await send(tenant, i % 2 === 0 ? {} : post));
    }
  };
  const workers = ['acme', 'echo', 'bolt'].flatMap((tenant) => [1, 2, 3].map(() => work(tenant)));
  const home = async () => await order(router, 'DELETE', '/v1/cells/cell-a/drain');
  const steps = [30, 60, 100, 50].map((percent) => async () => await drain(router, 'cell-a', percent));
  for (const step of [...steps, home]) {
    const before = replies.length;
    expect((await step()).status).toBe(200);
    await until('traffic flows', () => replies.length > before + 50);
  }
  load.over = true;
  await Promise.all(workers);
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  expect([a.refused, b.refused]).toEqual([[], []]);
});
