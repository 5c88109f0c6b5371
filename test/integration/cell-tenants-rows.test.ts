// The second lock on the tenants' rows: what the role of the API can see and do, however careless a statement is.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase, type Database } from '../../cell-template/database.ts';
import { NewerRule } from '../../cell-template/newer-rule.ts';
import type { Transaction } from '../../cell-template/transactions.ts';
import { decodeCursor } from '../../cell-template/orders/cursor.ts';
import { orderId, uuidV5 } from '../../cell-template/orders/ids.ts';
import { listOrders } from '../../cell-template/orders/read.ts';
import { placeOrder } from '../../cell-template/orders/write.ts';
import { addDatabase, ask } from '../support/cell-database.ts';
import { startCell, type RunningCell } from '../support/cell.ts';
import { until } from '../support/wait.ts';

let cell: RunningCell;
/** A database with the schema of a cell that no cell works on. */
let url: string;
let database: Database;

beforeAll(async () => {
  cell = await startCell({ id: 'cell-a' });
  url = await addDatabase(cell, 'rows');
  database = openDatabase(url, () => undefined);
  for (const tenant of ['mine', 'yours']) await place(tenant, 'tea', null);
});

afterAll(async () => {
  await database?.close();
  await cell?.stop();
});

const whose = (tenant: string, epoch = 1): { tenant: string; home: string; epoch: number } => ({
  tenant,
  home: 'cell-a',
  epoch,
});

async function place(tenant: string, item: string, key: string | null, epoch = 1): Promise<string> {
  const { order } = await database.inTenant(whose(tenant, epoch), (tx) =>
    placeOrder(tx, whose(tenant, epoch), { item, quantity: 1 }, key),
  );
  return order.id;
}

async function asTenant<T extends object>(tenant: string, text: string): Promise<T[]> {
  return database.inTenant(whose(tenant), (tx) => tx.query<T>(text));
}

/** As the role of the API, but with no tenant named. */
async function asNobody(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('set role cell_app');
    return (await client.query(text)).rows as unknown[];
  } finally {
    await client.end();
  }
}

test.each(['orders', 'outbox'])(
  'a statement on %s without a condition sees one tenant alone',
  async (table) => {
    const rows = await asTenant<{ tenant: string }>('mine', `select tenant from public.${table}`);
    expect(new Set(rows.map(({ tenant }) => tenant))).toEqual(new Set(['mine']));
  },
);

test.each(['orders', 'outbox', 'effects', 'conflicts'])(
  'without a tenant no row of %s is seen',
  async (table) => {
    expect(await asNobody(`select * from public.${table}`)).toEqual([]);
    expect(await asTenant('', `select * from public.${table}`)).toEqual([]);
  },
);

test("an update without a condition leaves the other tenants' rows alone", async () => {
  await asTenant('mine', `update public.orders set item = 'mine now'`);
  const rows = await ask<{ item: string }>(url, `select item from public.orders where tenant = 'yours'`);
  expect(rows).toEqual([{ item: 'tea' }]);
});

test('a row of another tenant can not be written', async () => {
  const insert = `insert into public.orders (tenant, id, item, quantity) values ('yours', gen_random_uuid(), 'x', 1)`;
  await expect(asTenant('mine', insert)).rejects.toThrow('row-level security');
  await expect(asTenant('mine', `update public.orders set tenant = 'yours'`)).rejects.toThrow(
    'row-level security',
  );
});

test.each(['orders', 'outbox', 'effects', 'conflicts', 'rules', 'beats', 'pending'])(
  'the API may not delete rows of %s',
  async (table) => {
    await expect(asTenant('mine', `delete from public.${table}`)).rejects.toThrow('permission denied');
  },
);

test.each(['orders', 'outbox', 'effects', 'conflicts', 'rules', 'beats'])(
  'not even a superuser deletes rows of %s, which the other side would not follow',
  async (table) => {
    await expect(ask(url, `delete from public.${table}`)).rejects.toThrow('never deleted');
  },
);

test.each([
  'update public.rules set epoch = 0',
  'select * from public.pending',
  'update public.outbox set kind = kind',
])('the API may not: %s', async (text) => {
  await expect(asTenant('mine', text)).rejects.toThrow('permission denied');
});

test('a connection that served a tenant has no role and no tenant left', async () => {
  await asTenant('mine', 'select 1');
  const rows = await database.query(
    `select current_user = session_user as itself, current_setting('cellgate.tenant', true) as tenant`,
    [],
  );
  expect(rows).toEqual([{ itself: true, tenant: '' }]);
});

test('what work throws rolls back what it wrote', async () => {
  const work = async (tx: Transaction): Promise<void> => {
    await placeOrder(tx, whose('rolled'), { item: 'tea', quantity: 1 }, null);
    throw new Error('no');
  };
  await expect(database.inTenant(whose('rolled'), work)).rejects.toThrow('no');
  expect(await asTenant('rolled', 'select from public.orders')).toEqual([]);
});

test('an order and its outbox entry are there together, the entry pending', async () => {
  const id = await place('together', 'tea', 'k');
  const rows = await ask(
    url,
    `select entry.id, entry.kind, pending.tenant from public.outbox as entry
     join public.pending on pending.outbox_id = entry.id where entry.order_id = $1`,
    [id],
  );
  expect(rows).toEqual([{ id: uuidV5(id, 'confirm'), kind: 'confirm', tenant: 'together' }]);
});

test('a transaction under an older rule than the stored one does nothing, and learns that rule', async () => {
  const rule = { home: 'cell-older', epoch: 5, share: 100 };
  await ask(url, `insert into public.rules (home, epoch, rule) values ('cell-older', 5, $1)`, [
    JSON.stringify(rule),
  ]);
  let worked = false;
  const work = async (): Promise<void> => {
    worked = true;
  };
  const late = { tenant: 'mine', home: 'cell-older', epoch: 4 };
  const error = await database.inTenant(late, work).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NewerRule);
  expect((error as NewerRule).rule).toEqual(rule);
  expect(worked).toBe(false);
  await database.inTenant({ ...late, epoch: 5 }, work);
  expect(worked).toBe(true);
});

test('a write to a row that was written under a newer rule is refused as such', async () => {
  const id = await place('newer', 'tea', null, 9);
  const error = await asTenant('newer', `update public.orders set epoch = 8 where id = '${id}'`).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NewerRule);
  expect((error as NewerRule).rule).toBeNull();
});

test('a commit that no standby confirms is not acknowledged, though it is there', async () => {
  const careful = openDatabase(url, () => undefined, { sync: true, confirmLimitMs: 100 });
  const order = async (key: string): Promise<unknown> =>
    careful
      .inTenant(whose('careful'), (tx) => placeOrder(tx, whose('careful'), { item: 'tea', quantity: 1 }, key))
      .catch((error: unknown) => error);
  const refused = { code: 'database-unavailable' };
  await ask(url, `insert into public.beats values ('cell-a', 1)`);
  try {
    await ask(url, `alter system set synchronous_standby_names = 'nobody'`);
    await ask(url, 'select pg_reload_conf()');
    const key = await until('commits wait for the standby', async () => {
      const mine = randomUUID();
      return ((await order(mine)) as { code?: string }).code === refused.code ? mine : null;
    });
    const id = orderId('careful', key);
    expect(await asTenant('careful', `select from public.orders where id = '${id}'`)).toHaveLength(1);
    // The same again writes nothing, and must not be taken for confirmed.
    expect(await order(key)).toMatchObject(refused);
    // What does not concern it goes on.
    await database.query(`update public.beats set beat = beat`, []);
    await place('careless', 'tea', null);
  } finally {
    await ask(url, `alter system reset synchronous_standby_names`);
    await ask(url, 'select pg_reload_conf()');
  }
  await until('orders are acknowledged', async () => {
    const answer = (await order('last')) as { order?: object };
    return answer.order !== undefined;
  });
  const waiting = await ask(url, `select pid from pg_stat_activity where wait_event = 'SyncRep'`);
  expect(waiting).toEqual([]);
  await careful.close();
});

test('any page of a long list is read off the index, even before PostgreSQL has counted anything', async () => {
  await ask(url, 'alter table public.orders set (autovacuum_enabled = false)');
  await ask(
    url,
    `insert into public.orders (tenant, id, item, quantity, created_at)
     select 'long', gen_random_uuid(), 'tea', 1, now() - n * interval '1 second' from generate_series(1, 20000) as n`,
  );
  const { next } = await database.inTenant(whose('long'), (tx) =>
    listOrders(tx, 'long', { limit: 100, after: null }),
  );
  for (const after of [null, decodeCursor(next ?? '')]) {
    const plans: unknown[] = [];
    await database.inTenant(whose('long'), (tx) =>
      listOrders(explaining(tx, plans), 'long', { limit: 100, after }),
    );
    expect(JSON.stringify(plans)).toContain('orders_newest_first');
    expect(JSON.stringify(plans)).not.toMatch(/"(Sort|Bitmap Heap Scan|Seq Scan)"/);
  }
});

/** Plans what is listed, in place of listing it. */
function explaining(tx: Transaction, plans: unknown[]): Transaction {
  return {
    async query(text, values) {
      if (!text.includes('from public.orders')) return tx.query(text, values);
      plans.push(await tx.query(`explain (format json) ${text}`, values));
      return [];
    },
  };
}
