// The records on disk: whole or not at all, and never a reason for a router to stop.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Snapshot } from '../../../../router/health/snapshot.ts';
import { awayRecord } from '../../../support/machine.ts';
import { until } from '../../../support/wait.ts';

async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-snapshot-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

type Line = { level: number; msg: string; reason?: string };

function snapshotAt(path: string): { snapshot: Snapshot; lines: Line[] } {
  const lines: Line[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line) as Line) });
  return { snapshot: new Snapshot(path, log), lines };
}

const NOTHING = { records: [], whole: false };
const RECORD = awayRecord('cell-a', 'cell-b', 5);

test('what was written is read again', async () => {
  const path = join(await folderOf(), 'records.json');
  const { snapshot } = snapshotAt(path);
  snapshot.write([RECORD, awayRecord('cell-c', 'cell-d', 2)]);
  await snapshot.settled();
  const records = [RECORD, awayRecord('cell-c', 'cell-d', 2)];
  expect(snapshotAt(path).snapshot.read()).toEqual({ records, whole: true });
});

test('where there is no file nothing is known, and nothing is wrong', async () => {
  const { snapshot, lines } = snapshotAt(join(await folderOf(), 'none.json'));
  expect([snapshot.read(), lines]).toEqual([NOTHING, []]);
});

test.each([
  ['empty', ''],
  ['cut off', '{"records":[{"home":"cell-a",'],
  ['null', 'null'],
  ['a list', '[]'],
  ['without records', '{"records":{}}'],
])('a file that is %s is no knowledge, and is told', async (_, content) => {
  const path = join(await folderOf(), 'records.json');
  await writeFile(path, content);
  const { snapshot, lines } = snapshotAt(path);
  expect(snapshot.read()).toEqual(NOTHING);
  expect(lines).toMatchObject([{ level: 40, msg: 'snapshot can not be read', reason: 'malformed' }]);
});

test('of a file with some malformed records the others are read', async () => {
  const path = join(await folderOf(), 'records.json');
  const third = { ...RECORD, target: 'cell-c' };
  const records = [null, 7, 'x', {}, { ...RECORD, epoch: 0 }, third, RECORD];
  await writeFile(path, JSON.stringify({ records }));
  expect(snapshotAt(path).snapshot.read()).toEqual({ records: [RECORD], whole: false });
});

test('a folder in its place can not be read, and is told', async () => {
  const { snapshot, lines } = snapshotAt(await folderOf());
  expect(snapshot.read()).toEqual(NOTHING);
  expect(lines).toMatchObject([{ reason: 'EISDIR' }]);
});

test('a disk that takes nothing is told, and the next write goes on', async () => {
  const folder = await folderOf();
  const { snapshot, lines } = snapshotAt(join(folder, 'missing', 'records.json'));
  snapshot.write([RECORD]);
  await snapshot.settled();
  snapshot.write([RECORD]);
  await snapshot.settled();
  expect(lines).toMatchObject([
    { level: 50, msg: 'snapshot can not be written', reason: 'ENOENT' },
    { level: 50, msg: 'snapshot can not be written', reason: 'ENOENT' },
  ]);
  expect(JSON.stringify(lines)).not.toContain(folder);
});

test('of many writes at once the last stands', async () => {
  const path = join(await folderOf(), 'records.json');
  const { snapshot } = snapshotAt(path);
  for (let epoch = 2; epoch <= 200; epoch += 1) snapshot.write([awayRecord('cell-a', 'cell-b', epoch)]);
  await snapshot.settled();
  expect(snapshot.read().records).toMatchObject([{ epoch: 200 }]);
});

test('a write that comes while another is under way is not lost', async () => {
  const path = join(await folderOf(), 'records.json');
  const { snapshot } = snapshotAt(path);
  for (let epoch = 2; epoch <= 30; epoch += 1) {
    snapshot.write([awayRecord('cell-a', 'cell-b', epoch)]);
    await stat(path).catch(() => null);
  }
  await snapshot.settled();
  expect(snapshot.read().records).toMatchObject([{ epoch: 30 }]);
});

test('whoever reads while it is written sees it whole, and no other file is left', async () => {
  const folder = await folderOf();
  const path = join(folder, 'records.json');
  const { snapshot } = snapshotAt(path);
  const many = Array.from({ length: 300 }, (_, i) => awayRecord(`cell-${i}`, 'cell-b', 2));
  snapshot.write(many);
  await snapshot.settled();
  let writing = true;
  const seen: number[] = [];
  const reader = until('all was written', async () => {
    seen.push((JSON.parse(await readFile(path, 'utf8')) as { records: unknown[] }).records.length);
    return !writing;
  });
  for (let round = 0; round < 20; round += 1) {
    snapshot.write(many);
    await snapshot.settled();
  }
  writing = false;
  await reader;
  expect(new Set(seen)).toEqual(new Set([300]));
  expect(await readdir(folder)).toEqual(['records.json']);
});

test('only its owner may read it', async () => {
  const path = join(await folderOf(), 'records.json');
  const { snapshot } = snapshotAt(path);
  snapshot.write([RECORD]);
  await snapshot.settled();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});
