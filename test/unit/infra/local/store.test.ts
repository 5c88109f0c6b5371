// Where a local fleet's routers keep what they share.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { chooseStore, planStore } from '../../../../infra/local/store.ts';

function folderWith(...programs: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of programs) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

test('REDIS_URL beats a Redis that could be run', () => {
  const env = { REDIS_URL: 'redis://h', PATH: folderWith('redis-server') };
  expect(chooseStore(2, env)).toEqual({ kind: 'given', url: 'redis://h' });
});

test.each(['redis-server', 'valkey-server'])('a %s on the PATH is run', (name) => {
  const folder = folderWith(name);
  expect(chooseStore(2, { PATH: `/nowhere:${folder}` })).toEqual({
    kind: 'own',
    program: join(folder, name),
  });
});

test('a file that can not be run is not a Redis', () => {
  const folder = folderWith('redis-server');
  chmodSync(join(folder, 'redis-server'), 0o644);
  expect(chooseStore(1, { PATH: folder })).toEqual({ kind: 'in-process' });
});

test('one router without Redis uses the store in its process, and the user is told', async () => {
  const choice = chooseStore(1, { PATH: folderWith() });
  const { specs, shared, sentence } = await planStore(choice, '/f', {});
  expect([choice.kind, specs, shared]).toEqual(['in-process', [], undefined]);
  expect(sentence).toMatch(/no redis-server was found/);
});

test('several routers without Redis are bad input', () => {
  expect(() => chooseStore(2, { PATH: folderWith() })).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringMatching(/^--routers 2: [^\n]*REDIS_URL$/),
    }),
  );
});

test('in a Redis of the user each fleet has keys of its own, and the URL is not shown', async () => {
  const choice = chooseStore(1, { REDIS_URL: 'redis://:secret@h', PATH: '' });
  const [one, two] = [await planStore(choice, '/f', {}), await planStore(choice, '/f', {})];
  expect(one.shared?.prefix).not.toBe(two.shared?.prefix);
  expect(one.sentence).not.toMatch(/secret/);
});

test('REDIS_PREFIX is the user’s to choose', async () => {
  const choice = chooseStore(1, { REDIS_URL: 'redis://h', PATH: '' });
  expect((await planStore(choice, '/f', { REDIS_PREFIX: 'mine' })).shared?.prefix).toBe('mine');
});
