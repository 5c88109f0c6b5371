// The files by which a running local fleet is found.
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { markOf } from '../../../../infra/local/process-mark.ts';
import {
  readEntries,
  registryFolder,
  removeEntry,
  writeEntry,
  type Entry,
} from '../../../../infra/local/registry.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'registry-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function entry(runner: Entry['runner'] | undefined): Entry {
  if (runner === undefined) throw new Error('the runner has a mark');
  return { runner, port: 1, adminPort: 2, folder, socket: join(folder, 's'), children: [], dataDirs: [] };
}

test('an entry of a live runner is found as it was written', () => {
  const written = entry(markOf(process.pid));
  writeEntry(written);
  expect(readEntries()).toEqual({ live: [written], stale: [] });
});

test('an entry whose pid belongs to another process by now is stale', () => {
  const written = entry({ pid: process.pid, start: 'long ago' });
  writeEntry(written);
  expect(readEntries()).toEqual({ live: [], stale: [written] });
});

test('a removed entry is gone, and removing it again is no error', () => {
  const written = entry(markOf(process.pid));
  writeEntry(written);
  removeEntry(written);
  removeEntry(written);
  expect(readEntries()).toEqual({ live: [], stale: [] });
});

test('only its owner can open the folder', () => {
  expect(statSync(registryFolder()).mode & 0o777).toBe(0o700);
});

test('a folder that others can write in is not trusted', () => {
  chmodSync(registryFolder(), 0o777);
  expect(() => readEntries()).toThrow(/is not a folder of yours alone/);
});

test('a link in its place is not followed', () => {
  rmSync(registryFolder(), { recursive: true });
  symlinkSync(folder, join(folder, `cellgate-${process.getuid?.()}`));
  expect(() => readEntries()).toThrow(/is not a folder of yours alone/);
});
