// What follows from a write: confirmed and told of once, whatever dies meanwhile, and never for a tenant of another cell.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pino } from 'pino';
import type { Contract } from '../../cell-template/contract/contract.ts';
import { openDatabase, type Database } from '../../cell-template/database.ts';
import { homesOf } from '../../cell-template/homes.ts';
import { uuidV5 } from '../../cell-template/orders/ids.ts';
import { databasePids } from '../../cell-template/postgres/embedded.ts';
import { Queue } from '../../cell-template/queue/queue.ts';
import { addDatabase, ask, databaseUrl } from '../support/cell-database.ts';
import { startCell, type RunningCell } from '../support/cell.ts';
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

type Order = { id: string; status: string; quantity: number };
type Effect = { kind: string; details: Record<string, unknown>; cell: string };

async function place(tenant: string, quantity = 1): Promise<Order> {
  const answer = await fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: { 'x-tenant-id': tenant, 'content-type': 'application/json' },
    body: JSON.stringify({ item: 'tea', quantity }),
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as Order;
}

async function statusOf(tenant: string, id: string): Promise<string> {
  const answer = await fetch(`${cell.url}/orders/${id}`, { headers: { 'x-tenant-id': tenant } });
  return ((await answer.json()) as Order).status;
}

async function effectsOf(at: string, orderId: string): Promise<Effect[]> {
  return ask<Effect>(
    at,
    'select kind, details, cell from public.effects where order_id = $1 order by done_at',
    [orderId],
  );
}

async function bothDone(at: string, orderId: string): Promise<Effect[]> {
  return until('the order is confirmed and told of', async () => {
    const effects = await effectsOf(at, orderId);
    return effects.length >= 2 ? effects : null;
  });
}

async function isEmpty(at: string): Promise<boolean> {
  const [row] = await ask<{ rest: number }>(
    at,
    `select (select count(*) from public.pending) + (select count(*) from graphile_worker.jobs) as rest`,
  );
  return Number(row?.rest) === 0;
}

test('a placed order is confirmed, and the tenant told of it', async () => {
  const { id } = await place('acme');
  expect(await bothDone(url, id)).toEqual([
    { kind: 'confirm', cell: 'cell-a', details: { confirmed: true, version: 2 } },
    { kind: 'email', cell: 'cell-a', details: { to: 'acme', subject: `order ${id} was confirmed` } },
  ]);
  expect(await statusOf('acme', id)).toBe('confirmed');
  await until('nothing is left to do', () => isEmpty(url));
});

test('an order that was cancelled first is not confirmed', async () => {
  // Placed and cancelled in one go, past the API: the cell has no time in between.
  const id = uuidV5('cancelled first');
  await ask(
    url,
    `with cancelled as (
       insert into public.orders (tenant, id, item, quantity, status) values ('acme', '${id}', 'tea', 1, 'cancelled'))
     insert into public.outbox (id, tenant, order_id, kind, payload, epoch)
       values ('${uuidV5(id)}', 'acme', '${id}', 'confirm', '{}', 1)`,
  );
  const effects = await until('its entry is done', async () => {
    const found = await effectsOf(url, id);
    return found.length > 0 ? found : null;
  });
  expect(effects).toMatchObject([{ kind: 'confirm', details: { confirmed: false, status: 'cancelled' } }]);
  expect(await statusOf('acme', id)).toBe('cancelled');
});

test('an entry that comes a second time has its effect once', async () => {
  const { id } = await place('acme');
  await bothDone(url, id);
  await ask(
    url,
    `insert into public.pending (outbox_id, tenant)
     select id, tenant from public.outbox where order_id = $1`,
    [id],
  );
  await until('nothing is left to do', () => isEmpty(url));
  expect(await effectsOf(url, id)).toHaveLength(2);
});

type DeadLetter = { id: string; kind: string; tenant: string; home: string; error: string; attempts: number };

async function deadLetters(): Promise<DeadLetter[]> {
  const answer = await fetch(`${cell.url}/.cellgate/dead-letters`);
  return ((await answer.json()) as { deadLetters: DeadLetter[] }).deadLetters;
}

/** The queue's pauses between attempts are long: this is what time would do. */
async function hurry(): Promise<void> {
  await ask(
    url,
    `select pg_notify('jobs:insert', '{"count": 1}'), graphile_worker.reschedule_jobs(
       array(select id from graphile_worker.jobs where run_at > now()), run_at := now())`,
  );
}

test('an entry of a kind that this release does not know becomes a dead letter, and can be tried again', async () => {
  const id = uuidV5('unknown kind');
  await ask(
    url,
    `insert into public.outbox (id, tenant, order_id, kind, payload, epoch)
     values ($1, 'acme', $1, 'parcel', '{}', 1)`,
    [id],
  );
  const [letter] = await until('it is a dead letter', async () => {
    await hurry();
    const letters = await deadLetters();
    return letters.length > 0 ? letters : null;
  });
  expect(letter).toMatchObject({ id, kind: 'parcel', tenant: 'acme', home: 'cell-a', attempts: 5 });
  expect(letter?.error).toContain('parcel');

  // A newer release, or an operator, has made it known.
  await ask(url, `update public.outbox set kind = 'email' where id = $1`, [id]);
  const retry = await fetch(`${cell.url}/.cellgate/dead-letters/${id}/retry`, { method: 'POST' });
  expect(retry.status).toBe(202);
  await until('it is done', async () => {
    await hurry();
    return (await effectsOf(url, id)).length === 1;
  });
  expect(await deadLetters()).toEqual([]);
});

test.each(['01a22cbc-cf02-708c-9c0e-f08883d2af72', 'x'])('no dead letter %s is tried again', async (id) => {
  const answer = await fetch(`${cell.url}/.cellgate/dead-letters/${id}/retry`, { method: 'POST' });
  expect(answer.status).toBe(404);
});

test('later work goes on after PostgreSQL was killed in the midst of it, each effect once', async () => {
  const ids: string[] = [];
  for (let n = 1; n <= 40; n += 1) ids.push((await place('killed', n)).id);
  const [postmaster = 0] = await databasePids(cell.dataDir);
  process.kill(postmaster, 'SIGKILL');
  await until('PostgreSQL is back', async () => (await fetch(`${cell.url}/health`)).ok);
  for (const id of ids) expect(await bothDone(url, id)).toHaveLength(2);
  await until('nothing is left to do', () => isEmpty(url));
  expect(cell.process.exitCode).toBeNull();
});

test('jobs that a killed cell had begun are done by the next one, at once', async () => {
  const { id } = await place('reborn');
  await bothDone(url, id);
  await cell.kill('SIGKILL');
  await ask(
    url,
    `select graphile_worker.add_job('outbox', json_build_object('outboxId', id, 'tenant', tenant))
     from public.outbox where order_id = $1`,
    [id],
  );
  await ask(
    url,
    `update graphile_worker._private_jobs set locked_at = now(), locked_by = 'killed', attempts = 1`,
  );
  cell = await startCell({ id: 'cell-a', dataDir: cell.dataDir, port: cell.port });
  await until('nothing is left to do', () => isEmpty(url));
});

type Guest = { queue: Queue; at: string; database: Database; serves: (tenants: readonly string[]) => void };

/** A queue on a database of its own, whose contract the test writes. */
async function guestQueue(name: string): Promise<Guest> {
  const at = await addDatabase(cell, name);
  const database = openDatabase(at, () => undefined);
  let own: readonly string[] = [];
  let tell = (): void => undefined;
  const contract: Contract = {
    ruleOf: () => null,
    epochOf: () => 1,
    isConfirmed: () => true,
    learn: () => undefined,
    isOwn: (_home, tenant) => own.includes(tenant),
    mayServe: () => own.length > 0,
    begin: (_home, tenant) => (own.includes(tenant) ? () => undefined : null),
    onRule: (listener) => {
      tell = () => listener(ruleOf('cell-x'));
    },
  };
  const homes = homesOf([{ home: 'cell-x', role: 'standby', url: at, database }]);
  const logger = pino({ level: 'silent' });
  const queue = new Queue({ cellId: 'cell-b', homes, contract, logger, onDone: () => undefined });
  const serves = (tenants: readonly string[]): void => {
    own = tenants;
    tell();
  };
  queue.start();
  return { queue, at, database, serves };
}

async function addEntry(at: string, tenant: string): Promise<string> {
  const id = uuidV5(at, tenant);
  await ask(
    at,
    `insert into public.outbox (id, tenant, order_id, kind, payload, epoch)
     values ($1, $2, $1, 'email', '{"to": "x", "subject": "y"}', 1)`,
    [id, tenant],
  );
  return id;
}

async function connectionsOf(name: string): Promise<number> {
  const [row] = await ask<{ open: number }>(
    url,
    `select count(*)::integer as open from pg_stat_activity where datname = $1 and application_name = 'cell queue'`,
    [name],
  );
  return row?.open ?? 0;
}

test('the queue of a standby rests until a rule gives this cell tenants, and again when none are left', async () => {
  const { queue, at, database, serves } = await guestQueue('resting');
  try {
    const id = await addEntry(at, 'guest');
    expect(await connectionsOf('resting')).toBe(0);
    serves(['guest']);
    await until('its entry is done', async () => (await effectsOf(at, id)).length === 1);
    expect(await connectionsOf('resting')).toBeLessThanOrEqual(3);
    serves([]);
    await until('it has no connection left', async () => (await connectionsOf('resting')) === 0);
  } finally {
    await queue.stop();
    await database.close();
  }
});

test("entries of tenants that are not this cell's stay where they are", async () => {
  const { queue, at, database, serves } = await guestQueue('mixed');
  try {
    const theirs = await addEntry(at, 'theirs');
    const ours = await addEntry(at, 'ours');
    serves(['ours']);
    await until('the own entry is done', async () => (await effectsOf(at, ours)).length === 1);
    expect(await effectsOf(at, theirs)).toEqual([]);
    expect(await ask(at, 'select tenant from public.pending')).toEqual([{ tenant: 'theirs' }]);
  } finally {
    await queue.stop();
    await database.close();
  }
});

test('a job whose tenant left meanwhile goes back to where its next cell finds it', async () => {
  const { queue, at, database, serves } = await guestQueue('leaving');
  try {
    serves(['stays']);
    const stays = await addEntry(at, 'stays');
    await until('the queue works', async () => (await effectsOf(at, stays)).length === 1);
    const left = await addEntry(at, 'left');
    await ask(at, 'delete from public.pending');
    await ask(
      at,
      `select graphile_worker.add_job('outbox', json_build_object('outboxId', $1::text, 'tenant', 'left'))`,
      [left],
    );
    await until('it is pending again', async () => {
      const rows = await ask<{ tenant: string }>(at, 'select tenant from public.pending');
      return rows.length === 1 && rows[0]?.tenant === 'left';
    });
    expect(await effectsOf(at, left)).toEqual([]);
  } finally {
    await queue.stop();
    await database.close();
  }
});
