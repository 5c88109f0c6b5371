// Making, finding and stopping an embedded PostgreSQL in the awkward cases.
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  databasePids,
  startDatabase,
  stopDatabase,
  type EmbeddedDatabase,
} from '../../../../cell-template/postgres/embedded.ts';
import { temporaryDataDir } from '../../../support/cell.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await temporaryDataDir();
});

afterEach(async () => {
  await stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true });
});

async function start(signal = new AbortController().signal): Promise<EmbeddedDatabase> {
  return startDatabase(dataDir, pino({ level: 'silent' }), signal);
}

test('stopping where nothing runs, or nothing is, does nothing', async () => {
  await stopDatabase(dataDir);
  await stopDatabase(join(dataDir, 'missing'));
});

test('a pid file that names a stranger does not keep PostgreSQL from starting, nor is the stranger harmed', async () => {
  await (await start()).close();
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  await writeFile(pidFile, `${process.pid}\n${dataDir}/postgres\n1\n5432\n/nowhere\n\n 1 99999999\nready\n`);
  expect(await databasePids(dataDir)).toEqual([]);
  const again = await start();
  expect(Number((await readFile(pidFile, 'utf8')).split('\n')[0])).not.toBe(process.pid);
  await again.close();
});

test('a start that is called off leaves neither a process nor half-made data', async () => {
  const calledOff = new AbortController();
  const starting = start(calledOff.signal);
  calledOff.abort();
  await expect(starting).rejects.toThrow();
  expect(await databasePids(dataDir)).toEqual([]);
  expect((await readdir(dataDir)).filter((name) => name.includes('unfinished'))).toEqual([]);
});

test('what a killed start left half made is removed by the next one', async () => {
  const unfinished = join(dataDir, 'postgres.unfinished-x');
  await mkdir(unfinished);
  await (await start()).close();
  expect(await readdir(dataDir)).not.toContain('postgres.unfinished-x');
});

test.runIf(process.getuid?.() === 0)(
  'under root, a folder that PostgreSQL may not enter is named',
  async () => {
    await chmod(dataDir, 0o700);
    await expect(start()).rejects.toThrow(`may not enter ${dataDir};`);
  },
);

test('data that PostgreSQL refuses end the start with what it said', async () => {
  await (await start()).close();
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '9.6\n');
  await expect(start()).rejects.toThrow('incompatible');
});
