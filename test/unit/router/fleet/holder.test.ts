// A fleet file that changes under a running router.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { FleetHolder } from '../../../../router/fleet/holder.ts';
import { FleetFileError } from '../../../../router/fleet/load.ts';
import { until } from '../../../support/wait.ts';
import { fleetFrom, PAIR, withCellA } from './fleets.ts';

const HEAVIER = withCellA({ weight: 2 });
const BEFORE = fleetFrom(PAIR).digest;
const AFTER = fleetFrom(HEAVIER).digest;

async function holderOf(content: unknown, activateMs = 86_400_000) {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-holder-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const path = join(folder, 'fleet.yaml');
  const write = async (next: unknown): Promise<void> => await writeFile(path, stringify(next));
  await write(content);
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(line) });
  return { holder: new FleetHolder(path, activateMs, log), path, write, logged };
}

test('a wrong file at the start is refused as a whole', async () => {
  await expect(holderOf(withCellA({ weight: 0 }))).rejects.toThrow(FleetFileError);
});

test('a changed file is loaded at once and waits until all live routers have it', async () => {
  const { holder, write } = await holderOf(PAIR);
  await write(HEAVIER);
  holder.reload();
  expect([holder.loadedDigest, holder.active.digest]).toEqual([AFTER, BEFORE]);
  holder.consider([AFTER, BEFORE]);
  expect(holder.active.digest).toBe(BEFORE);
  holder.consider([AFTER, AFTER]);
  expect(holder.active.digest).toBe(AFTER);
});

test('a router that knows of no live router waits', async () => {
  const { holder, write } = await holderOf(PAIR);
  await write(HEAVIER);
  holder.reload();
  holder.consider([]);
  expect(holder.active.digest).toBe(BEFORE);
});

test('after the time-out a changed file takes effect without the others', async () => {
  const { holder, write } = await holderOf(PAIR, 0);
  await write(HEAVIER);
  holder.reload();
  holder.consider([AFTER, BEFORE]);
  expect(holder.active.digest).toBe(AFTER);
});

test('a wrong file changes nothing, and its faults are logged', async () => {
  const { holder, write, logged } = await holderOf(PAIR);
  await write(withCellA({ weight: 0 }));
  holder.reload();
  holder.consider([BEFORE]);
  expect([holder.active.digest, holder.loadedDigest, holder.fileRefused]).toEqual([BEFORE, BEFORE, true]);
  expect(logged.join()).toContain('cells.cell-a.weight');
});

test('a file that has gone is a wrong one', async () => {
  const { holder, path } = await holderOf(PAIR);
  await rename(path, `${path}.away`);
  holder.reload();
  expect([holder.active.digest, holder.fileRefused]).toEqual([BEFORE, true]);
});

test('a corrected file ends the alarm', async () => {
  const { holder, write } = await holderOf(PAIR);
  await write('nonsense');
  holder.reload();
  await write(PAIR);
  holder.reload();
  expect(holder.fileRefused).toBe(false);
});

test('a file that is changed back drops the pending one', async () => {
  const { holder, write } = await holderOf(PAIR);
  await write(HEAVIER);
  holder.reload();
  await write(PAIR);
  holder.reload();
  expect(holder.loadedDigest).toBe(BEFORE);
  holder.consider([AFTER]);
  expect(holder.active.digest).toBe(BEFORE);
});

test('each part is told once of a fleet that takes effect', async () => {
  const { holder, write } = await holderOf(PAIR);
  const told: string[] = [];
  holder.onActivate(({ digest }) => told.push(digest));
  await write(HEAVIER);
  holder.reload();
  holder.reload();
  holder.consider([AFTER]);
  holder.consider([AFTER]);
  expect(told).toEqual([AFTER]);
});

test('a file that is replaced by renaming is noticed', async () => {
  const { holder, path } = await holderOf(PAIR);
  holder.watch();
  onTestFinished(() => holder.unwatch());
  await writeFile(`${path}.new`, stringify(HEAVIER));
  await rename(`${path}.new`, path);
  await until('the new file is loaded', () => holder.loadedDigest === AFTER);
});
