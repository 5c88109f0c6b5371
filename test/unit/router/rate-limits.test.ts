// A tenant's rate: how much passes, when the next one may, and how little is remembered for it.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Rate } from '../../../router/fleet/fleet.ts';
import { RateLimits } from '../../../router/rate-limits.ts';

/** Limits with a clock that stands until it is moved. */
class Play {
  nowMs = 5_000;
  readonly limits: RateLimits;

  constructor(others: Rate | null, own: Record<string, Rate> = {}, tenantsMax?: number) {
    this.limits = new RateLimits(() => this.nowMs, tenantsMax);
    this.change(others, own);
  }

  change(others: Rate | null, own: Record<string, Rate> = {}): void {
    this.limits.setFleet({ others, tenants: new Map(Object.entries(own)) });
  }

  /** How many of so many requests at once pass. */
  burst(tenant = 'acme', times = 2_000): number {
    return Array.from({ length: times }, () => this.limits.take(tenant)).filter((wait) => wait === 0).length;
  }
}

test('after a pause a burst passes, and no more', () => {
  expect(new Play({ rps: 10, burst: 20 }).burst()).toBe(20);
});

test('what was used up comes back at the rate', () => {
  const play = new Play({ rps: 10, burst: 20 });
  play.burst();
  play.nowMs += 500;
  expect(play.burst()).toBe(5);
});

test('however long the pause, no more than a burst comes back', () => {
  const play = new Play({ rps: 10, burst: 20 });
  play.burst();
  play.nowMs += 3_600_000;
  expect(play.burst()).toBe(20);
});

test('a refused request uses nothing up', () => {
  const play = new Play({ rps: 10, burst: 1 });
  play.burst();
  play.nowMs += 100;
  expect(play.burst()).toBe(1);
});

test('tenants share nothing', () => {
  const play = new Play({ rps: 10, burst: 20 });
  play.burst('acme');
  expect(play.burst('bolt')).toBe(20);
});

test('a tenant with a rate of its own has that one alone', () => {
  const play = new Play({ rps: 10, burst: 20 }, { acme: { rps: 50, burst: 70 } });
  expect([play.burst('acme'), play.burst('bolt')]).toEqual([70, 20]);
});

test('without a rate for all others only the listed tenants are limited, and nobody else is remembered', () => {
  const play = new Play(null, { acme: { rps: 1, burst: 2 } });
  expect([play.burst('acme'), play.burst('bolt'), play.limits.remembered]).toEqual([2, 2_000, 1]);
});

test('each of several routers allows its equal part, and one request at least', () => {
  const play = new Play({ rps: 10, burst: 20 }, { small: { rps: 1, burst: 1 } });
  play.limits.setRouters(4);
  expect([play.burst('acme'), play.burst('small')]).toEqual([5, 1]);
  play.nowMs += 4_000;
  expect([play.burst('acme'), play.burst('small')]).toEqual([5, 1]);
});

test('a count of no routers changes nothing: the last known one stands', () => {
  const play = new Play({ rps: 10, burst: 20 });
  play.limits.setRouters(2);
  play.limits.setRouters(0);
  expect(play.burst()).toBe(10);
});

test('a change of the rates leaves the buckets as they are', () => {
  const play = new Play({ rps: 10, burst: 20 });
  play.burst();
  play.change({ rps: 20, burst: 20 });
  expect(play.burst()).toBe(0);
  play.nowMs += 500;
  expect(play.burst()).toBe(10);
});

test('who used up a slow rate waits no longer than the new one asks for', () => {
  const play = new Play({ rps: 1, burst: 1_000 });
  play.burst();
  play.change({ rps: 1_000, burst: 1_000 });
  expect(play.limits.take('acme')).toBe(1);
  play.nowMs += 1_000;
  expect(play.burst()).toBe(1_000);
});

test('who waits as long as it is told passes then', () => {
  const play = new Play({ rps: 1, burst: 1 });
  play.limits.setRouters(3);
  play.burst();
  const waitS = play.limits.take('acme');
  expect(waitS).toBe(3);
  play.nowMs += waitS * 1_000;
  expect(play.limits.take('acme')).toBe(0);
});

test('made-up tenants are forgotten as soon as their buckets are full again', () => {
  const play = new Play({ rps: 100, burst: 200 });
  let most = 0;
  for (let i = 0; i < 200_000; i += 1) {
    if (i % 10 === 0) play.nowMs += 1;
    play.limits.take(`tenant-${i}`);
    most = Math.max(most, play.limits.remembered);
  }
  // Ten a millisecond, remembered for at most twice the two seconds that a bucket takes to fill.
  expect(most).toBeLessThanOrEqual(40_000);
});

test('however many tenants come, twice the bound are remembered at most', () => {
  const play = new Play({ rps: 1, burst: 1_000_000 }, {}, 1_000);
  let most = 0;
  for (let i = 0; i < 50_000; i += 1) {
    play.limits.take(`tenant-${i}`);
    most = Math.max(most, play.limits.remembered);
  }
  expect(most).toBeLessThanOrEqual(2_000);
});

test('a flood of made-up tenants gives nothing back to one that goes on sending', () => {
  const play = new Play({ rps: 1, burst: 5 }, {}, 1_000);
  expect(play.burst('acme')).toBe(5);
  let passed = 0;
  for (let i = 0; i < 50_000; i += 1) {
    play.limits.take(`tenant-${i}`);
    if (i % 500 === 0 && play.limits.take('acme') === 0) passed += 1;
  }
  expect(passed).toBe(0);
});

const rate = fc.record({ rps: fc.integer({ min: 1, max: 500 }), burst: fc.integer({ min: 1, max: 500 }) });

test('whatever comes when, as much passes as a bucket of tokens would let pass', () => {
  const arrivals = fc.array(
    fc.record({ pauseMs: fc.constantFrom(0, 1, 7, 100, 1_500), times: fc.integer({ min: 1, max: 60 }) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(rate, fc.integer({ min: 1, max: 5 }), arrivals, ({ rps, burst }, routers, all) => {
      const play = new Play({ rps, burst });
      play.limits.setRouters(routers);
      const size = Math.max(1, burst / routers);
      let tokens = size;
      for (const { pauseMs, times } of all) {
        play.nowMs += pauseMs;
        tokens = Math.min(size, tokens + (pauseMs * rps) / routers / 1_000);
        for (let i = 0; i < times; i += 1) {
          const passed = play.limits.take('acme') === 0;
          // Where the model has a whole token to within rounding, either answer is right.
          if (Math.abs(tokens - 1) > 1e-6) expect(passed).toBe(tokens > 1);
          if (passed) tokens -= 1;
        }
      }
    }),
  );
});

test('a tenant that keeps to its rate is never refused, whoever else sends', () => {
  fc.assert(
    fc.property(rate, fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }), (its, noise) => {
      const play = new Play(its, {}, 20);
      for (const others of noise) {
        play.nowMs += 1_000 / its.rps;
        for (let i = 0; i < others; i += 1) play.limits.take(`tenant-${i}`);
        expect(play.limits.take('acme')).toBe(0);
      }
    }),
  );
});
