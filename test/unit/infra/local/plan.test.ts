// What a local fleet is made of.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { cellSpec, fleetFile, inheritedEnv, planCells, routerSpec } from '../../../../infra/local/plan.ts';
import { parseFleet } from '../../../../router/fleet/load.ts';

const ROUTER = { id: 'router-2', port: 8081, adminPort: 9091 };
const SHARED = { fleetPath: '/f.yaml', token: 'a-token' };

test('cells are named by letters and dealt to three zones in turn', () => {
  const cells = planCells([4101, 4103, 4104, 4105]);
  expect(cells.map(({ id, zone, url }) => [id, zone, url])).toEqual([
    ['cell-a', 'az-1', 'http://127.0.0.1:4101'],
    ['cell-b', 'az-2', 'http://127.0.0.1:4103'],
    ['cell-c', 'az-3', 'http://127.0.0.1:4104'],
    ['cell-d', 'az-1', 'http://127.0.0.1:4105'],
  ]);
});

test.each([1, 2, 26])('the fleet file for %i cells is one that a router takes', (count) => {
  const cells = planCells(Array.from({ length: count }, (_, index) => 4101 + index));
  const fleet = parseFleet(fleetFile(cells), tmpdir());
  expect([...fleet.cells.keys()]).toEqual(cells.map(({ id }) => id));
});

test('what the runner decides is not taken from the shell, and tuning is', () => {
  const env = inheritedEnv({
    PATH: '/bin',
    DATABASE_URL: 'postgres://one-for-all',
    STANDBY_OF: 'cell-a=postgres://elsewhere',
    NEIGHBOUR_DATABASE_URL: 'postgres://elsewhere',
    CELL_TOKEN: 'of another fleet',
    PORT: '1',
    FLEET_FILE: 'x',
    FALL: '2',
  });
  expect(env).toEqual({ PATH: '/bin', FALL: '2' });
});

test('a cell gets its own name, port and data folder, and what its pair is', () => {
  const folder = mkdtempSync(`${tmpdir()}/plan-`);
  const [cell] = planCells([4101]);
  if (cell === undefined) throw new Error('one cell was asked for');
  const { env } = cellSpec(cell, folder, { CELL_TOKEN: 't' }, { PATH: '/bin' });
  rmSync(folder, { recursive: true });
  expect(env).toEqual({
    PATH: '/bin',
    CELL_TOKEN: 't',
    CELL_ID: 'cell-a',
    HOST: '127.0.0.1',
    PORT: '4101',
    DATA_DIR: `${folder}/cell-a`,
  });
});

test('a router without Redis is told of none', () => {
  const { env } = routerSpec(ROUTER, { ...SHARED, redis: undefined }, {});
  expect(env).not.toHaveProperty('REDIS_URL');
  expect(env).toMatchObject({
    PORT: '8081',
    ADMIN_PORT: '9091',
    FLEET_FILE: '/f.yaml',
    CELL_TOKEN: 'a-token',
    ROUTER_ID: 'router-2',
  });
});

test('a router is told of the Redis and the prefix that all share', () => {
  const { env } = routerSpec(ROUTER, { ...SHARED, redis: { url: 'redis://h', prefix: 'p' } }, {});
  expect(env).toMatchObject({ REDIS_URL: 'redis://h', REDIS_PREFIX: 'p' });
});
