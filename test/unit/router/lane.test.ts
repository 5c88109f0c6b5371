// One lane and its tenants: who may have how much of it, and when.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lane } from '../../../router/lane.ts';

const ROOM = 32;
const SHARE = 8;

/** A lane of a fixed room, and a clock that stands until it is moved. */
class Play {
  readonly lane = new Lane();
  readonly room: number;
  nowMs = 0;

  constructor(room: number = ROOM) {
    this.room = room;
  }

  enter(tenant: string) {
    return this.lane.enter(tenant, this.room, this.room - this.lane.count, this.nowMs);
  }

  /** How many of so many get in. */
  fill(tenant: string, times = 1_000): number {
    return Array.from({ length: times }, () => this.enter(tenant)).filter((one) => one === 'in').length;
  }

  drain(tenant: string, times: number): void {
    for (let i = 0; i < times; i += 1) this.lane.leave(tenant);
  }
}

test('a tenant that is alone has the whole lane', () => {
  expect(new Play().fill('noisy')).toBe(ROOM);
});

test('a tenant that is not alone leaves a quarter free for the others', () => {
  const play = new Play();
  play.enter('quiet');
  expect(play.fill('noisy')).toBe(ROOM - SHARE - 1);
  expect(play.enter('noisy')).toBe('share');
});

test('the others find room in what it left free', () => {
  const play = new Play();
  play.enter('quiet');
  play.fill('noisy');
  expect([play.fill('quiet', SHARE - 1), play.enter('another')]).toEqual([SHARE - 1, 'in']);
});

test('a tenant is alone again when no other has come for a minute', () => {
  const play = new Play();
  play.enter('quiet');
  play.drain('quiet', 1);
  play.nowMs = 60_000;
  expect(play.fill('noisy')).toBe(ROOM);
});

test('a tenant that comes once in a while keeps its room, however often the noisy one comes between', () => {
  const play = new Play();
  play.enter('quiet');
  for (play.nowMs = 0; play.nowMs < 59_000; play.nowMs += 1_000) play.fill('noisy');
  expect(play.enter('quiet')).toBe('in');
});

test('while others wait nobody gets more than a quarter', () => {
  const play = new Play();
  play.fill('noisy');
  expect(play.enter('quiet')).toBe('full');
  play.drain('noisy', ROOM);
  expect(play.fill('noisy')).toBe(SHARE);
});

test('what a tenant has beyond its share it may finish, and gets no more', () => {
  const play = new Play();
  play.fill('noisy');
  play.enter('quiet');
  play.drain('noisy', 10);
  expect([play.enter('noisy'), play.lane.count]).toEqual(['share', ROOM - 10]);
  expect(play.fill('quiet')).toBe(SHARE);
});

test('others wait for a second after one of them was refused', () => {
  const play = new Play();
  play.fill('noisy');
  play.enter('quiet');
  play.drain('noisy', 20);
  play.nowMs = 999;
  expect(play.enter('noisy')).toBe('share');
  play.nowMs = 1_000;
  expect(play.enter('noisy')).toBe('in');
});

test('a tenant that has its share already does not make the others wait', () => {
  const play = new Play();
  play.fill('one', 12);
  play.fill('two');
  play.drain('one', 6);
  expect([play.fill('two'), play.fill('one')]).toEqual([6, 2]);
});

test('in a lane of one place the next tenant has it as soon as it is free', () => {
  const play = new Play(1);
  play.enter('noisy');
  expect(play.enter('quiet')).toBe('full');
  play.drain('noisy', 1);
  expect(play.enter('quiet')).toBe('in');
});

test('a small lane keeps nothing back while nobody waits', () => {
  const play = new Play(3);
  play.enter('quiet');
  expect(play.fill('noisy')).toBe(2);
});

test('a tenant that left is forgotten', () => {
  const play = new Play();
  for (let i = 0; i < 5_000; i += 1) {
    play.enter(`tenant-${i}`);
    play.drain(`tenant-${i}`, 1);
  }
  expect([play.lane.tenants, play.lane.count]).toEqual([0, 0]);
});

test('a refused tenant is not kept', () => {
  const play = new Play();
  play.fill('noisy');
  for (let i = 0; i < 5_000; i += 1) play.enter(`tenant-${i}`);
  expect(play.lane.tenants).toBe(1);
});

const TENANTS = ['a', 'b', 'c', 'd', 'e'];

const step = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  leaves: fc.boolean(),
  times: fc.integer({ min: 1, max: 12 }),
  passMs: fc.constantFrom(0, 1, 500, 1_000, 60_000),
});

test('whatever comes and goes: counts are exact, within its share only a full lane refuses, and who waits is heard', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 80 }), (room, steps) => {
      const play = new Play(room);
      const held = new Map(TENANTS.map((tenant) => [tenant, 0]));
      const share = Math.max(1, Math.floor(room / 4));
      let waitedMs = Number.NEGATIVE_INFINITY;
      for (const { tenant, leaves, times, passMs } of steps) {
        play.nowMs += passMs;
        for (let i = 0; i < times; i += 1) {
          const mine = held.get(tenant) ?? 0;
          if (leaves) {
            if (mine === 0) break;
            play.lane.leave(tenant);
            held.set(tenant, mine - 1);
            continue;
          }
          const { count } = play.lane;
          const admission = play.enter(tenant);
          expect(admission === 'full').toBe(count >= room);
          if (mine < share && count < room) expect(admission).toBe('in');
          if (mine >= share && play.nowMs - waitedMs < 1_000) expect(admission).not.toBe('in');
          if (admission === 'full' && mine < share) waitedMs = play.nowMs;
          if (admission === 'in') held.set(tenant, mine + 1);
        }
        expect(play.lane.count).toBe([...held.values()].reduce((sum, one) => sum + one, 0));
        expect(play.lane.tenants).toBe([...held.values()].filter((one) => one > 0).length);
      }
    }),
  );
});

test('a noisy tenant at fifty times its share never keeps a place from others that together need no more than a share', () => {
  const arrival = fc.record({ who: fc.constantFrom('noisy', ...TENANTS), ends: fc.nat() });
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 200 }), (arrivals) => {
      const play = new Play();
      const quiet: string[] = [];
      play.enter('a');
      play.drain('a', 1);
      for (const { who, ends } of arrivals) {
        play.nowMs += 1;
        if (who === 'noisy') play.fill('noisy', 50 * SHARE);
        else {
          if (quiet.length === SHARE) play.drain(quiet.splice(ends % SHARE, 1)[0] ?? '', 1);
          expect(play.enter(who)).toBe('in');
          quiet.push(who);
        }
      }
    }),
  );
});
