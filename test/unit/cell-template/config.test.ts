// The environment of a cell: defaults, what beats what, and every fault at once.
import { expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../cell-template/config.ts';

const minimal = { CELL_ID: 'cell-a', DATA_DIR: '/var/lib/cell-a' };

function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test('a name and a data folder are enough', () => {
  expect(loadConfig(minimal)).toEqual({
    cellId: 'cell-a',
    host: '0.0.0.0',
    port: 4101,
    database: { kind: 'embedded', dataDir: '/var/lib/cell-a' },
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    logLevel: 'info',
    cellToken: null,
    standbyOf: [],
    neighbourUrl: null,
    guestPolicy: 'full',
    durability: 'async',
    maxStandbyLagS: 60,
    asleepMs: 1_000,
  });
});

test('the other cells of its pairs are named by the addresses of their databases', () => {
  const { standbyOf, neighbourUrl } = loadConfig({
    ...minimal,
    STANDBY_OF: 'cell-c=postgres://c/db',
    NEIGHBOUR_DATABASE_URL: 'postgres://b/db',
  });
  expect([standbyOf, neighbourUrl]).toEqual([
    [{ home: 'cell-c', url: 'postgres://c/db' }],
    'postgres://b/db',
  ]);
});

test('sync without anybody to confirm is a fault, as is a standby of itself', () => {
  expect(() => loadConfig({ ...minimal, DURABILITY: 'sync' })).toThrow(
    /DURABILITY: .*NEIGHBOUR_DATABASE_URL/,
  );
  expect(() => loadConfig({ ...minimal, STANDBY_OF: 'cell-a=postgres://a/db' })).toThrow(
    /no standby of itself/,
  );
});

test('DATABASE_URL beats DATA_DIR', () => {
  const url = 'postgres://cell:secret@db:5432/cell';
  expect(loadConfig({ ...minimal, DATABASE_URL: url }).database).toEqual({ kind: 'external', url });
});

test('an empty variable counts as unset', () => {
  expect(loadConfig({ ...minimal, DATABASE_URL: '', PORT: '', CELL_VERSION: '' }).port).toBe(4101);
});

test('a relative DATA_DIR is taken from the working folder', () => {
  expect(loadConfig({ ...minimal, DATA_DIR: 'data' }).database).toEqual({
    kind: 'embedded',
    dataDir: `${process.cwd()}/data`,
  });
});

test('every fault is named at once, with what is allowed', () => {
  const faults = faultsOf({ CELL_ID: 'Cell_A', PORT: '65536', LOG_LEVEL: 'loud', HOST: 'a b' });
  expect(faults.map((fault) => fault.split(':')[0])).toEqual([
    'CELL_ID',
    'HOST',
    'PORT',
    'LOG_LEVEL',
    'DATA_DIR',
  ]);
  for (const fault of faults) expect(fault).toContain('(allowed: ');
});

test('a fault in DATABASE_URL does not repeat its password', () => {
  expect(faultsOf({ ...minimal, DATABASE_URL: 'mysql://cell:secret@db/cell' })).toEqual([
    expect.not.stringContaining('secret'),
  ]);
});

test.each(['-1', '4101.5', '4e3', ' 80', '0x50', '99999'])('%s is no port', (PORT) => {
  expect(faultsOf({ ...minimal, PORT })).toHaveLength(1);
});

test.each(['cell-', '-cell', 'a.b', 'x'.repeat(64)])('%s is no name for a cell', (CELL_ID) => {
  expect(faultsOf({ ...minimal, CELL_ID })).toHaveLength(1);
});
