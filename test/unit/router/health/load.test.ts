// What a router says its own requests load each home with, reckoned from what was counted.
import { expect, test } from 'vitest';
import { LOAD_WINDOW_MS, LoadWindow, type HomeCount } from '../../../../router/health/load.ts';

const count = (home: string, requests: number, concurrency = 0, tunnels = 0): HomeCount => ({
  home,
  requests,
  concurrency,
  tunnels,
});

test('one look tells no load: a rate needs two', () => {
  expect(new LoadWindow().look(5_000, [count('cell-a', 100)])).toBeNull();
});

test('two looks at the same moment tell no load', () => {
  const window = new LoadWindow();
  window.look(5_000, [count('cell-a', 100)]);
  expect(window.look(5_000, [count('cell-a', 200)])).toBeNull();
});

test('the rate is what came since the first look, by its seconds', () => {
  const window = new LoadWindow();
  window.look(1_000, [count('cell-a', 100)]);
  expect(window.look(3_000, [count('cell-a', 150)])).toEqual([
    { home: 'cell-a', rps: 25, concurrency: 0, tunnels: 0 },
  ]);
});

test('a home that was not there at the first look began with none', () => {
  const window = new LoadWindow();
  window.look(0, []);
  expect(window.look(1_000, [count('cell-b', 7)])).toMatchObject([{ home: 'cell-b', rps: 7 }]);
});

test('what is older than the window counts no more', () => {
  const window = new LoadWindow();
  window.look(0, [count('cell-a', 0)]);
  window.look(1_000, [count('cell-a', 1_000, 50)]);
  window.look(1_000 + LOAD_WINDOW_MS, [count('cell-a', 1_010)]);
  expect(window.look(2_000 + LOAD_WINDOW_MS, [count('cell-a', 1_020)])).toMatchObject([
    { rps: 20 / 11, concurrency: 0 },
  ]);
});

test('of what was inside the most counts, tunnels apart', () => {
  const window = new LoadWindow();
  window.look(0, [count('cell-a', 0, 3, 9)]);
  window.look(1_000, [count('cell-a', 0, 8, 2)]);
  expect(window.look(2_000, [count('cell-a', 0, 1, 1)])).toEqual([
    { home: 'cell-a', rps: 0, concurrency: 8, tunnels: 9 },
  ]);
});

test('a home without any load is left out', () => {
  const window = new LoadWindow();
  window.look(0, [count('cell-a', 5)]);
  expect(window.look(1_000, [count('cell-a', 5)])).toEqual([]);
});
