// The control socket's place.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { socketPath } from '../../../../infra/local/control.ts';

test('it is in a folder that only its owner can enter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'control-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = socketPath(folder);
  expect(path.startsWith(folder)).toBe(true);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test('where the path would be too long for a socket it is in a short folder of its own', () => {
  const path = socketPath(`/${'long'.repeat(30)}`);
  onTestFinished(() => rmSync(dirname(path), { recursive: true }));
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(107);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});
