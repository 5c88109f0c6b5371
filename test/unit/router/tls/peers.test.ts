// Certificates of cells that end while connections are kept that were made by them.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Peers } from '../../../../router/tls/peers.ts';

const DAY_MS = 86_400_000;
let endings = 0;
let peers: Peers;

beforeEach(() => {
  vi.useFakeTimers();
  endings = 0;
  peers = new Peers(() => (endings += 1));
});

afterEach(() => void vi.useRealTimers());

test('the end of each is told once, however far away it is', () => {
  peers.connected('https://a', Date.now() + 60 * DAY_MS);
  peers.connected('https://b', Date.now() + 90 * DAY_MS);
  vi.advanceTimersByTime(59 * DAY_MS);
  expect(endings).toBe(0);
  vi.advanceTimersByTime(2 * DAY_MS);
  expect(endings).toBe(1);
  vi.advanceTimersByTime(100 * DAY_MS);
  expect(endings).toBe(2);
});

test('one that was replaced in time is not told of', () => {
  peers.connected('https://a', Date.now() + DAY_MS);
  peers.connected('https://a', Date.now() + 10 * DAY_MS);
  vi.advanceTimersByTime(2 * DAY_MS);
  expect(endings).toBe(0);
});

test('one of a cell that has left is not told of', () => {
  peers.connected('https://a', Date.now() + DAY_MS);
  peers.forget('https://a');
  vi.advanceTimersByTime(2 * DAY_MS);
  expect(endings).toBe(0);
});
