// Lag in bytes and in seconds, from looks at a publisher.
import { expect, test } from 'vitest';
import { LagMeter } from '../../../../cell-template/standby/lag.ts';

test('a subscriber that has everything has no lag', () => {
  expect(new LagMeter().look(100n, 100n, 5_000)).toEqual({ bytes: 0, seconds: 0 });
});

test('one that stands still is behind by the time since it last had everything', () => {
  const meter = new LagMeter();
  meter.look(100n, 100n, 1_000);
  meter.look(150n, 100n, 2_000);
  expect(meter.look(250n, 100n, 4_000)).toEqual({ bytes: 150, seconds: 3 });
});

test('one that has what was there at an earlier look is behind by the time since that look', () => {
  const meter = new LagMeter();
  meter.look(100n, 100n, 1_000);
  meter.look(200n, 100n, 2_000);
  expect(meter.look(300n, 220n, 3_000)).toEqual({ bytes: 80, seconds: 1 });
});

test('one that has caught up has no lag any more', () => {
  const meter = new LagMeter();
  meter.look(100n, 0n, 1_000);
  expect(meter.look(100n, 0n, 3_000)).toEqual({ bytes: 100, seconds: 2 });
  expect(meter.look(110n, 110n, 4_000)).toEqual({ bytes: 0, seconds: 0 });
});

test('a whole day of standing still is measured', () => {
  const meter = new LagMeter();
  let lag = meter.look(0n, 0n, 0);
  for (let look = 1; look <= 172_800; look += 1) lag = meter.look(BigInt(look), 0n, look * 500);
  expect(lag).toEqual({ bytes: 172_800, seconds: 86_400 });
});
