// DURABILITY=sync: what is acknowledged is on two disks, or is not acknowledged.
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { databasePids } from '../../cell-template/postgres/embedded.ts';
import { send, sharedCellPair } from '../support/cell-pair.ts';
import { ask } from '../support/cell-database.ts';
import { until } from '../support/wait.ts';

const shared = sharedCellPair({ DURABILITY: 'sync' });
const tea = { item: 'tea', quantity: 1 };

async function isConfirming(): Promise<boolean> {
  const rows = await ask(shared.now.homeUrl, `select from pg_stat_replication where sync_state = 'sync'`);
  return rows.length === 1;
}

test('an order that is acknowledged is in the standby at once', async () => {
  await until('writes are acknowledged', async () => {
    return (await send(shared.now.home, 'POST', '/orders', { body: tea })).status === 201;
  });
  for (let order = 0; order < 10; order += 1) {
    const { status, body } = await send(shared.now.home, 'POST', '/orders', { body: tea });
    expect(status).toBe(201);
    expect(await ask(shared.now.standbyUrl, 'select from orders where id = $1', [body['id']])).toHaveLength(
      1,
    );
  }
});

test('nothing is acknowledged while the neighbour can not confirm, and all goes on afterwards', async () => {
  const pids = await databasePids(shared.now.neighbour.dataDir);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    const refused = await send(shared.now.home, 'POST', '/orders', {
      body: tea,
      headers: { 'idempotency-key': 'unclear' },
    });
    expect([refused.status, refused.body['code']]).toEqual([503, 'database-unavailable']);
    expect((await send(shared.now.home, 'GET', '/orders')).status).toBe(200);
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
  await until('it is acknowledged', async () => {
    const again = await send(shared.now.home, 'POST', '/orders', {
      body: tea,
      headers: { 'idempotency-key': 'unclear' },
    });
    return again.status === 201;
  });
});

test('a standby that copies confirms nothing, and writes are refused at once', async () => {
  await until('the standby confirms', isConfirming);
  // Held up in its copy by somebody else's lock.
  const locker = new Client({ connectionString: shared.now.standbyUrl });
  await locker.connect();
  try {
    await locker.query('begin; lock table public.orders in exclusive mode');
    await ask(shared.now.standbyUrl, `alter subscription "standby_cell_a" disable`);
    await until('it copies anew', async () => {
      const rows = await ask(
        shared.now.homeUrl,
        `select from pg_stat_replication where application_name = 'standby_cell_a_copying'`,
      );
      return rows.length > 0;
    });
    await until('a write is refused', async () => {
      const { status, body } = await send(shared.now.home, 'POST', '/orders', { body: tea });
      return status === 503 && body['code'] === 'standby-silent';
    });
    expect(await isConfirming()).toBe(false);
  } finally {
    await locker.end();
  }
  await until('it is copied, and confirms', isConfirming);
});
