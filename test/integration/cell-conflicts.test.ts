// Writes that lost: operators see them, settle them, and see all of it in the metrics.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { orderId } from '../../cell-template/orders/ids.ts';
import { ask, databaseUrl } from '../support/cell-database.ts';
import { bringRule, startCell, type RunningCell } from '../support/cell.ts';
import { ruleOf } from '../support/rules.ts';
import { until } from '../support/wait.ts';

let cell: RunningCell;
let url: string;

beforeAll(async () => {
  cell = await startCell({ id: 'cell-a' });
  url = databaseUrl(cell);
});

afterAll(async () => {
  await cell?.stop();
});

type Order = { id: string; item: string; quantity: number; status: string };
type Conflict = { tenant: string; orderId: string; epoch: number; home: string; lost: Order; kept: Order };

const headers = { 'x-tenant-id': 'acme', 'content-type': 'application/json' };

/** A confirmed order for one tea, and a write of ten that lost against it. */
async function conflicting(key: string, lost: Partial<Order> = {}): Promise<string> {
  const id = orderId('acme', key);
  await fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: { ...headers, 'idempotency-key': key },
    body: '{"item":"tea","quantity":1}',
  });
  await until('it is confirmed', async () => (await read(id)).status === 'confirmed');
  await ask(
    url,
    `insert into public.conflicts (tenant, order_id, epoch, writer, version, lost, kept)
     select tenant, id, 0, 'abc', 3, to_jsonb(orders) || $2::jsonb, to_jsonb(orders) from public.orders where id = $1`,
    [id, JSON.stringify({ quantity: 10, ...lost })],
  );
  return id;
}

async function read(id: string): Promise<Order> {
  return (await (await fetch(`${cell.url}/orders/${id}`, { headers })).json()) as Order;
}

async function openOnes(query = ''): Promise<Conflict[]> {
  const answer = await fetch(`${cell.url}/.cellgate/conflicts${query}`);
  return ((await answer.json()) as { conflicts: Conflict[] }).conflicts;
}

async function settle(id: string, settlement: string, more: object = {}): Promise<Response> {
  return fetch(`${cell.url}/.cellgate/conflicts/settle`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      home: 'cell-a',
      tenant: 'acme',
      orderId: id,
      epoch: 0,
      writer: 'abc',
      settlement,
      ...more,
    }),
  });
}

async function metric(line: string): Promise<string | undefined> {
  const text = await (await fetch(`${cell.url}/.cellgate/metrics`)).text();
  return text.split('\n').find((found) => found.startsWith(line));
}

test('a conflict is listed with both states, and counted', async () => {
  const id = await conflicting('listed');
  const found = (await openOnes('?home=cell-a')).find(({ orderId: of }) => of === id);
  expect(found).toMatchObject({
    home: 'cell-a',
    tenant: 'acme',
    epoch: 0,
    version: 3,
    lost: { item: 'tea', quantity: 10 },
    kept: { item: 'tea', quantity: 1 },
  });
  expect(await metric('cell_conflicts_open{home="cell-a"}')).toMatch(/ [1-9]/);
  await settle(id, 'kept');
});

test('settled as kept, the order stays as it is', async () => {
  const id = await conflicting('kept');
  expect((await settle(id, 'kept')).status).toBe(200);
  expect(await openOnes()).toEqual([]);
  expect(await read(id)).toMatchObject({ quantity: 1 });
});

test('settled as lost, the lost state is written back, and the tenant told of it', async () => {
  const id = await conflicting('lost');
  expect((await settle(id, 'lost')).status).toBe(200);
  expect(await read(id)).toMatchObject({ quantity: 10, status: 'confirmed' });
  expect(await openOnes()).toEqual([]);
  await until('the e-mail is recorded', async () => {
    const effects = await ask<{ subject: string }>(
      url,
      `select details ->> 'subject' as subject from public.effects where order_id = $1 and kind = 'email'`,
      [id],
    );
    return effects.some(({ subject }) => subject.endsWith('was put back as it was'));
  });
});

test('an order that is put back as only placed is confirmed again', async () => {
  const id = await conflicting('placed', { status: 'placed' });
  await settle(id, 'lost');
  await until('it is confirmed', async () => (await read(id)).status === 'confirmed');
  expect(await read(id)).toMatchObject({ quantity: 10 });
});

test('the same settlement again changes nothing, another one is refused', async () => {
  const id = await conflicting('twice');
  await settle(id, 'lost');
  const once = await fetch(`${cell.url}/orders/${id}`, { headers });
  expect((await settle(id, 'lost')).status).toBe(200);
  const again = await fetch(`${cell.url}/orders/${id}`, { headers });
  expect(again.headers.get('etag')).toBe(once.headers.get('etag'));
  const other = await settle(id, 'kept');
  expect(other.status).toBe(409);
  expect(await other.json()).toMatchObject({ code: 'conflict-settled' });
});

test.each([
  ['an unknown conflict', { epoch: 7 }, 404],
  ['an unknown home', { home: 'cell-z' }, 404],
  ['no settlement of these two', { settlement: 'both' }, 400],
  ['an order ID that is none', { orderId: 'x' }, 400],
  ['an epoch that no database holds', { epoch: 1e300 }, 400],
])('%s is refused', async (_name, more, status) => {
  expect((await settle(orderId('acme', 'nobody'), 'kept', more)).status).toBe(status);
});

test('the metrics tell what was written and what is left to do', async () => {
  await conflicting('metrics');
  expect(await metric('cell_orders_written_total{home="cell-a",kind="create"}')).toMatch(/ [1-9]/);
  expect(await metric('cell_jobs_done_total{kind="confirm"}')).toMatch(/ [1-9]/);
  await until('all is done', async () => {
    const depth = await Promise.all(
      ['pending', 'jobs', 'dead'].map((state) => metric(`cell_queue_depth{home="cell-a",state="${state}"}`)),
    );
    return depth.every((line) => line?.endsWith(' 0'));
  });
  expect(await metric('cell_relay_lag_seconds{home="cell-a"}')).toMatch(/ 0$/);
});

test("a conflict of a tenant that is another cell's now is not settled here", async () => {
  const id = await conflicting('away');
  const away = { epoch: 7, share: 100, shareBefore: 100, target: 'cell-b', state: 'failed-over' } as const;
  await bringRule(cell.url, ruleOf('cell-a', away));
  const answer = await settle(id, 'lost');
  expect(answer.status).toBe(421);
  expect(await answer.json()).toEqual({ epoch: 7 });
  expect((await openOnes()).map(({ orderId: of }) => of)).toContain(id);
});
