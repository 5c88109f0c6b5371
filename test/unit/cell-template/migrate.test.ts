// Migrations against a real PostgreSQL: once each, one process at a time, never changed afterwards.
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../../cell-template/migrate.ts';
import { startDatabase, type EmbeddedDatabase } from '../../../cell-template/postgres/embedded.ts';
import { temporaryDataDir } from '../../support/cell.ts';

const SHIPPED = join(import.meta.dirname, '../../../cell-template/migrations');
let dataDir: string;
let embedded: EmbeddedDatabase;
let folder: string;
let url: string;
let databases = 0;

beforeAll(async () => {
  dataDir = await temporaryDataDir();
  embedded = await startDatabase(dataDir, pino({ level: 'silent' }), new AbortController().signal);
});

afterAll(async () => {
  await embedded?.close();
  await rm(dataDir, { recursive: true, force: true });
});

beforeEach(async ({ onTestFinished }) => {
  folder = await mkdtemp(join(tmpdir(), 'cellgate-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  databases += 1;
  await ask(embedded.url, `create database test${databases}`);
  url = embedded.url.replace('/postgres?', `/test${databases}?`);
});

async function ask(at: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: at });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

async function add(name: string, sql: string): Promise<void> {
  await writeFile(join(folder, name), sql);
}

test('the shipped migrations run in order, and a second time not at all', async () => {
  const names = (await readdir(SHIPPED)).sort();
  expect(await migrate(url, SHIPPED)).toEqual(names);
  expect(await migrate(url, SHIPPED)).toEqual([]);
});

test('where only some are wanted, the others do not run', async () => {
  await add('001-a.sql', 'create table a (n int)');
  await add('002-b.sql', 'create table b (n int)');
  expect(await migrate(url, folder, { only: new Set(['001-a.sql']) })).toEqual(['001-a.sql']);
});

test('a new file runs alone', async () => {
  await add('001-a.sql', 'create table a (n int)');
  await migrate(url, folder);
  await add('002-b.sql', 'create table b (n int)');
  expect(await migrate(url, folder)).toEqual(['002-b.sql']);
});

test('two processes at once run each file once between them', async () => {
  await add('001-a.sql', 'create table a (n int); insert into a values (1)');
  const runs = await Promise.all([migrate(url, folder), migrate(url, folder), migrate(url, folder)]);
  expect(runs.flat()).toEqual(['001-a.sql']);
  expect(await ask(url, 'select n from a')).toEqual([{ n: 1 }]);
});

test('a file that was changed after it ran is refused by name', async () => {
  await add('001-a.sql', 'create table a (n int)');
  await migrate(url, folder);
  await add('001-a.sql', 'create table a (n bigint)');
  await expect(migrate(url, folder)).rejects.toThrow(/^001-a\.sql was changed/);
});

test('a file that fails leaves nothing of itself, and names itself', async () => {
  await add('001-a.sql', 'create table a (n int); select 1 / 0');
  await expect(migrate(url, folder)).rejects.toThrow('001-a.sql failed: division by zero');
  expect(await ask(url, "select to_regclass('a') as a")).toEqual([{ a: null }]);
});

test('a release that knows fewer migrations than the database is refused, unless it is another cell’s', async () => {
  await add('001-a.sql', 'create table a (n int)');
  await add('002-b.sql', 'create table b (n int)');
  await migrate(url, folder);
  const older = join(folder, 'older');
  await mkdir(older);
  await copyFile(join(folder, '001-a.sql'), join(older, '001-a.sql'));
  await expect(migrate(url, older)).rejects.toThrow('newer than this code: it has run 002-b.sql');
  expect(await migrate(url, older, { newer: 'accept' })).toEqual([]);
});
