// A home that lost its disk: it says so, serves nobody, and gets everything back from its standby.
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { stopDatabase } from '../../cell-template/postgres/embedded.ts';
import {
  awayRule,
  bringToBoth,
  healthOf,
  ruleOfHome,
  send,
  sharedCellPair,
  untilRows,
  untilSynced,
} from '../support/cell-pair.ts';
import { bringRule } from '../support/cell.ts';
import { ask } from '../support/cell-database.ts';
import { until } from '../support/wait.ts';

const shared = sharedCellPair();
const tea = { item: 'tea', quantity: 1 };

test('a home without its disk serves nobody until all of it is back, and then all of it', async () => {
  const kept = await send(shared.now.home, 'POST', '/orders', { body: tea });
  await untilRows(shared.now.standbyUrl, 'select from orders', (rows) => rows.length === 1);
  await shared.now.home.kill();
  await stopDatabase(shared.now.home.dataDir);
  await rm(shared.now.home.dataDir, { recursive: true });
  await bringRule(shared.now.neighbour.url, awayRule(2));
  const guest = await send(shared.now.neighbour, 'POST', '/orders', { body: tea });
  expect(guest.status).toBe(201);

  await shared.now.restart('home');
  await until('it is up', async () => (await healthOf(shared.now.home)).status !== 'down');
  // What is written next door while it is filled is with it as well.
  const { position } = await bringRule(
    shared.now.neighbour.url,
    ruleOfHome({ epoch: 3, phase: 'closing', state: 'returning', shareBefore: 100, operation: 3 }),
  );
  await bringRule(
    shared.now.home.url,
    ruleOfHome({
      epoch: 3,
      phase: 'closing',
      state: 'returning',
      shareBefore: 100,
      operation: 3,
      position: position ?? null,
    }),
  );
  await bringToBoth(shared.now, ruleOfHome({ epoch: 4, shareBefore: 100 }));
  for (const { body } of [kept, guest])
    expect((await send(shared.now.home, 'GET', `/orders/${String(body['id'])}`)).status).toBe(200);
  expect(await ask(shared.now.homeUrl, 'select from recovering')).toEqual([]);
});

test('one that finds its standby gone, too, can not tell, and takes no rule that says it has served', async () => {
  await untilSynced(shared.now);
  await Promise.all([shared.now.home.kill(), shared.now.neighbour.kill()]);
  await Promise.all([stopDatabase(shared.now.home.dataDir), stopDatabase(shared.now.neighbour.dataDir)]);
  await rm(shared.now.home.dataDir, { recursive: true });
  await shared.now.restart('home').catch((error: unknown) => error);
  await expect(bringRule(shared.now.home.url, ruleOfHome({ epoch: 4 }))).rejects.toThrow('503');
  expect((await send(shared.now.home, 'GET', '/orders')).status).toBe(421);
  await shared.now.restart('neighbour');
  await until('the home has everything', async () => {
    await bringRule(shared.now.home.url, ruleOfHome({ epoch: 5 })).catch(() => undefined);
    return (await send(shared.now.home, 'GET', '/orders')).status === 200;
  });
  const { body } = await send(shared.now.home, 'GET', '/orders');
  expect(body['orders']).toHaveLength(2);
});
