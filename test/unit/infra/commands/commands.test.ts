// What the commands print, from answers as a router gives them.
import { expect, test } from 'vitest';
import { cellsText, type CellRow } from '../../../../infra/commands/cells.ts';
import { checkFleet } from '../../../../infra/commands/check-fleet.ts';
import { explanationText, type Explanation } from '../../../../infra/commands/explain.ts';
import { chooseFleet } from '../../../../infra/commands/local.ts';
import type { Entry } from '../../../../infra/local/registry.ts';

const TOLD: Explanation = {
  tenant: 'acme',
  bucket: 12_345,
  home: 'cell-a',
  neighbour: 'cell-b',
  pin: null,
  cell: 'cell-b',
  role: 'guest',
  epoch: 2,
  reason: 'cell-a is failed over',
};

const fleet = (port: number, adminPort: number): Entry => ({
  runner: { pid: port, start: 'x' },
  port,
  adminPort,
  folder: '/f',
  socket: '/f/s',
  children: [],
  dataDirs: [],
});

test('an explanation says first who serves, then home and why', () => {
  expect(explanationText(TOLD).split('\n')).toEqual([
    'acme is served by cell-b (guest)',
    '  home       cell-a, bucket 12345',
    '  neighbour  cell-b',
    '  epoch      2',
    '  why        cell-a is failed over',
  ]);
});

test('a tenant that no cell serves is said to be so', () => {
  const text = explanationText({ ...TOLD, cell: null, role: null });
  expect(text).toMatch(/^acme is served by no cell now\n/);
});

test('a pin is told', () => {
  expect(explanationText({ ...TOLD, pin: 'cell-a' })).toContain('pinned to cell-a');
});

test('whatever a reason holds, an explanation keeps its lines and steers no terminal', () => {
  const lines = explanationText({ ...TOLD, reason: 'quarantined by anna: a\n\u001B[2J' }).split('\n');
  expect(lines).toHaveLength(5);
  expect(lines.at(-1)).toBe('  why        quarantined by anna: a\\u{a}\\u{1b}[2J');
});

/** As of a fleet of one that has just started. */
const ALONE: CellRow = {
  id: 'cell-a',
  origin: 'http://127.0.0.1:1',
  zone: null,
  neighbour: null,
  state: 'serving',
  target: 'cell-a',
  epoch: 1,
  share: 0,
  since: null,
  cause: null,
  buckets: 65_536,
  version: null,
};

test('absent values of a cell show as a dash', () => {
  const [, row = ''] = cellsText([ALONE]).split('\n');
  expect(row.split(/\s+/)).toEqual([
    'cell-a',
    'serving',
    'cell-a',
    '-',
    '-',
    '-',
    '65536',
    '1',
    '-',
    '-',
    '-',
  ]);
});

test.each([
  [null, /copying/],
  [1.2, /copying, 2 s behind/],
])('a standby shows with its lag where that is known: %s', (lagSeconds, shown) => {
  expect(cellsText([{ ...ALONE, standby: { state: 'copying', lagSeconds } }])).toMatch(shown);
});

test('the example fleet file is good', () => {
  expect(checkFleet('infra/fleet.yaml', {})).toMatch(/is good: 3 cells \(cell-a, cell-b, cell-c\)/);
});

test('the fleet file is FLEET_FILE where none is named', () => {
  expect(() => checkFleet(undefined, { FLEET_FILE: '/nowhere.yaml' })).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining('/nowhere.yaml') }),
  );
});

test('the only fleet that runs is the one that is meant', () => {
  expect(chooseFleet([fleet(8080, 9090)], {}).port).toBe(8080);
});

test('of several fleets a port chooses', () => {
  expect(chooseFleet([fleet(8080, 9090), fleet(8090, 9190)], { adminPort: '9190' }).port).toBe(8090);
});

test('of several fleets one must be chosen', () => {
  expect(() => chooseFleet([fleet(8080, 9090), fleet(8090, 9190)], {})).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringContaining('--port 8090 --admin-port 9190'),
    }),
  );
});

test('no fleet that runs is the answer no', () => {
  expect(() => chooseFleet([], {})).toThrow(
    expect.objectContaining({ exitCode: 1, message: 'no local fleet runs; start one with npm start' }),
  );
});
