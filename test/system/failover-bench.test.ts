// The failover benchmark on a small scale: its counts hold on any machine, its durations are not looked at.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runFailover, type Measured } from '../../loadtest/bench/failover-run.ts';

const PLAYS = { kills: 2, freezes: 1, blackHoles: 0, unannounced: 0, lostRedis: 1, lostRouters: 0 };

let folder = '';
let measured: Measured;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cellgate-bench-'));
  measured = await runFailover({ ...PLAYS, folder, rate: 300, level: 1, say: (line) => console.log(line) });
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The sum over all kills. */
function ofKills(count: 'notInside' | 'idempotentInside' | 'others'): number {
  const kills = measured.episodes.filter(({ kind }) => kind === 'kill');
  return kills.reduce((sum, { failures }) => sum + failures[count], 0);
}

test('every fault was played, under load, and everybody came home', () => {
  expect(measured.episodes.map(({ kind }) => kind)).toEqual(['kill', 'kill', 'freeze']);
  expect(measured.episodes.filter(({ failures }) => failures.requests === 0)).toEqual([]);
});

test('a killed cell fails no request that was not inside it', () => {
  expect(ofKills('notInside')).toBe(0);
});

test('a killed cell fails no idempotent request that was inside it', () => {
  expect(ofKills('idempotentInside')).toBe(0);
});

test('no fault of a cell fails a request of another cell’s tenants', () => {
  expect(measured.episodes.map(({ failures }) => failures.others)).toEqual([0, 0, 0]);
});

test('no request is served by a third cell', () => {
  expect(measured.third).toBe(0);
});

test('no tenant is served by two cells at the same moment, nor by a frozen one that wakes up', () => {
  expect([measured.two, measured.twoAfterSleep]).toEqual([0, 0]);
});

test('no request fails while Redis is killed or frozen', () => {
  expect(measured.lostRedis.map(({ fault, failed }) => [fault, failed])).toEqual([
    ['killed', 0],
    ['frozen', 0],
  ]);
});
