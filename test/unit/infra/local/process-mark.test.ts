// Telling a process from another one that got its number.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, markOf, signal } from '../../../../infra/local/process-mark.ts';

test('a live process has a mark, the same each time', () => {
  const mark = markOf(process.pid);
  expect(mark).toEqual(markOf(process.pid));
  expect(mark === undefined ? null : isAlive(mark)).toBe(true);
});

test('a mark with another start time is not alive, though the pid is', () => {
  expect(isAlive({ pid: process.pid, start: 'another boot 1' })).toBe(false);
});

test('a process that ended is not alive, and signalling it is no error', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const mark = markOf(child.pid ?? 0);
  if (mark === undefined) throw new Error('it runs');
  signal(mark.pid, 'SIGKILL');
  await once(child, 'exit');
  expect(isAlive(mark)).toBe(false);
  signal(mark.pid, 'SIGTERM');
});
