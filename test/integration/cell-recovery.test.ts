// A home that lost its disk: it says so, serves nobody, and gets everything back from its standby.
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopDatabase } from '../../cell-template/postgres/embedded.ts';
import {
  awayRule,
  bringToBoth,
  healthOf,
  ruleOfHome,
  send,
  startCellPair,
  untilRows,
  untilSynced,
  type CellPair,
} from '../support/cell-pair.ts';
import { bringRule } from '../support/cell.ts';
import { ask } from '../support/cell-database.ts';
import { until } from '../support/wait.ts';

let pair: CellPair;
const tea = { item: 'tea', quantity: 1 };

beforeAll(async () => {
  pair = await startCellPair();
  await untilSynced(pair);
  await bringToBoth(pair, ruleOfHome());
});

afterAll(async () => {
  await pair?.stop();
});

test('a home without its disk serves nobody until all of it is back, and then all of it', async () => {
  const kept = await send(pair.home, 'POST', '/orders', { body: tea });
  await untilRows(pair.standbyUrl, 'select from orders', (rows) => rows.length === 1);
  await pair.home.kill();
  await stopDatabase(pair.home.dataDir);
  await rm(pair.home.dataDir, { recursive: true });
  await bringRule(pair.neighbour.url, awayRule(2));
  const guest = await send(pair.neighbour, 'POST', '/orders', { body: tea });
  expect(guest.status).toBe(201);

  await pair.restart('home');
  await until('it is up', async () => (await healthOf(pair.home)).status !== 'down');
  // What is written next door while it is filled is with it as well.
  const { position } = await bringRule(
    pair.neighbour.url,
    ruleOfHome({ epoch: 3, phase: 'closing', state: 'returning', shareBefore: 100, operation: 3 }),
  );
  await bringRule(
    pair.home.url,
    ruleOfHome({
      epoch: 3,
      phase: 'closing',
      state: 'returning',
      shareBefore: 100,
      operation: 3,
      position: position ?? null,
    }),
  );
  await bringToBoth(pair, ruleOfHome({ epoch: 4, shareBefore: 100 }));
  for (const { body } of [kept, guest])
    expect((await send(pair.home, 'GET', `/orders/${String(body['id'])}`)).status).toBe(200);
  expect(await ask(pair.homeUrl, 'select from recovering')).toEqual([]);
});

test('one that finds its standby gone, too, can not tell, and takes no rule that says it has served', async () => {
  await untilSynced(pair);
  await Promise.all([pair.home.kill(), pair.neighbour.kill()]);
  await Promise.all([stopDatabase(pair.home.dataDir), stopDatabase(pair.neighbour.dataDir)]);
  await rm(pair.home.dataDir, { recursive: true });
  await pair.restart('home').catch((error: unknown) => error);
  await expect(bringRule(pair.home.url, ruleOfHome({ epoch: 4 }))).rejects.toThrow('503');
  expect((await send(pair.home, 'GET', '/orders')).status).toBe(421);
  await pair.restart('neighbour');
  await until('the home has everything', async () => {
    await bringRule(pair.home.url, ruleOfHome({ epoch: 5 })).catch(() => undefined);
    return (await send(pair.home, 'GET', '/orders')).status === 200;
  });
  const { body } = await send(pair.home, 'GET', '/orders');
  expect(body['orders']).toHaveLength(2);
});
