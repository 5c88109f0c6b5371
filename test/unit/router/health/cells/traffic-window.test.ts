// What a short window of answers says, and when it says nothing.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrafficWindow } from '../../../../../router/health/cells/traffic-window.ts';

function counted(marked: number, plain: number, tenants = ['acme', 'bolt'], nowMs = 0): TrafficWindow {
  const window = new TrafficWindow();
  for (let i = 0; i < marked + plain; i += 1) {
    window.count(i < marked, tenants[i % tenants.length] ?? null, nowMs);
  }
  return window;
}

test('nothing is exceeded at first', () => {
  expect([new TrafficWindow().exceeded, new TrafficWindow().exceededAt(0)]).toEqual([false, false]);
});

test('half of twenty answers is enough', () => {
  expect(counted(10, 10).exceeded).toBe(true);
  expect(counted(10, 10).words).toBe('10 of 20 answers');
});

test('less than half is not, nor are fewer than twenty', () => {
  expect([counted(10, 11).exceeded, counted(19, 0).exceeded]).toEqual([false, false]);
});

test('one tenant alone is not believed', () => {
  expect(counted(1_000, 0, ['acme']).exceeded).toBe(false);
  expect(counted(1_000, 0, ['acme', 'bolt']).exceeded).toBe(true);
});

test('one loud tenant is not believed because another one saw a chance error', () => {
  const window = counted(1_000, 0, ['acme']);
  window.count(true, 'bolt', 0);
  expect(window.exceeded).toBe(false);
  for (let i = 0; i < 10; i += 1) window.count(i % 3 === 0, 'bolt', 0);
  expect(window.exceeded).toBe(false);
});

test('the others are heard beside a loud tenant, few as they are', () => {
  const window = counted(1_000, 0, ['acme']);
  for (let i = 0; i < 4; i += 1) window.count(true, ['bolt', 'cato'][i % 2] ?? '', 0);
  expect(window.exceeded).toBe(false);
  window.count(true, 'bolt', 0);
  expect(window.exceeded).toBe(true);
});

test('a window is over after two seconds, counted from its first answer', () => {
  const window = counted(20, 0, undefined, 1_000);
  expect([window.exceededAt(3_000), window.exceededAt(3_001)]).toEqual([true, false]);
  window.count(true, 'acme', 3_001);
  expect([window.words, window.exceeded]).toEqual(['1 of 1 answers', false]);
});

test('a second tenant of an earlier window is no witness in this one', () => {
  const window = counted(20, 0, ['acme', 'bolt'], 0);
  for (let i = 0; i < 30; i += 1) window.count(true, 'acme', 5_000);
  expect(window.exceeded).toBe(false);
});

test('what is forgotten counts no more', () => {
  const window = counted(20, 0);
  window.forget();
  expect([window.exceeded, window.words]).toEqual([false, '0 of 0 answers']);
});

test('whatever is answered to one tenant, it is never enough', () => {
  const answers = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 100 })), { maxLength: 200 });
  fc.assert(
    fc.property(answers, (all) => {
      const window = new TrafficWindow();
      let nowMs = 0;
      for (const [marked, passedMs] of all) {
        nowMs += passedMs;
        // The others have only good answers.
        window.count(marked, marked ? 'acme' : 'bolt', nowMs);
        expect(window.exceeded).toBe(false);
      }
    }),
  );
});

test('one tenant that has all of the bad answers, while the others have enough good ones, is named', () => {
  const window = counted(20, 0, ['acme']);
  for (let i = 0; i < 4; i += 1) window.count(false, 'bolt', 0);
  expect(window.alone).toBe(null);
  window.count(false, 'core', 0);
  expect(window.alone).toBe('acme');
  window.count(true, 'bolt', 0);
  expect(window.alone).toBe(null);
});

test('nobody is named for bad answers that are few, or less than half of all', () => {
  expect([counted(0, 0).alone, counted(9, 0, ['acme']).alone]).toEqual([null, null]);
  const window = counted(20, 0, ['acme']);
  for (let i = 0; i < 21; i += 1) window.count(false, 'bolt', 0);
  expect(window.alone).toBe(null);
});
