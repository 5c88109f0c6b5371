// Replication between two real PostgreSQL servers: what travels, what both sides write, and what used to stop it for good.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../support/cell-database.ts';
import {
  startDatabasePair,
  startServer,
  stopServer,
  type DatabasePair,
  type Server,
} from '../support/database-pair.ts';
import { until } from '../support/wait.ts';

let here: Server;
let there: Server;
let pair: DatabasePair;

beforeAll(async () => {
  [here, there] = await Promise.all([startServer(), startServer()]);
  pair = await startDatabasePair(here, there);
});

afterAll(async () => {
  await pair?.close();
  await Promise.all([stopServer(here), stopServer(there)]);
});

const ID = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

async function place(url: string, n: number, item: string, epoch = 1): Promise<void> {
  await ask(url, `insert into orders (tenant, id, item, quantity, epoch) values ('acme', $1, $2, 1, $3)`, [
    ID(n),
    item,
    epoch,
  ]);
}

async function change(url: string, n: number, item: string, epoch = 1): Promise<void> {
  await ask(url, `update orders set item = $2, epoch = $3 where tenant = 'acme' and id = $1`, [
    ID(n),
    item,
    epoch,
  ]);
}

type Row = { item: string; version: string; epoch: string };
async function orderAt(url: string, n: number): Promise<Row | undefined> {
  return (
    await ask<Row>(url, `select item, version, epoch from orders where tenant = 'acme' and id = $1`, [ID(n)])
  )[0];
}

async function bothShow(n: number, item: string): Promise<void> {
  await until(`both sides show ${item}`, async () => {
    const rows = await Promise.all([orderAt(pair.homeUrl, n), orderAt(pair.standbyUrl, n)]);
    return rows.every((row) => row?.item === item);
  });
}

test('what is written at home is in the standby', async () => {
  await place(pair.homeUrl, 1, 'tea');
  await bothShow(1, 'tea');
});

test('what a guest writes next door comes home, and does not go round', async () => {
  await place(pair.standbyUrl, 2, 'coffee', 2);
  await bothShow(2, 'coffee');
  await change(pair.standbyUrl, 2, 'mocha', 2);
  await bothShow(2, 'mocha');
  expect(await orderAt(pair.homeUrl, 2)).toMatchObject({ version: '2' });
});
