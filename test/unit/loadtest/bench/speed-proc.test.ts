// What proc(5) tells: CPU time of processes, who else was busy, and how full a core was.
import { expect, test } from 'vitest';
import {
  corePart,
  othersPart,
  oursMs,
  parseBusy,
  parseProcessStat,
  parseRssMb,
  type Moment,
} from '../../../../loadtest/bench/speed-proc.ts';

const STAT =
  '42 (a (mean) name) R 7 42 42 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 11 0 1000 1000000 500 18446744073709551615 0 0';

function moment(change: Partial<Moment>): Moment {
  const busy = new Map([
    ['cpu', 0],
    ['cpu0', 0],
    ['cpu1', 0],
  ]);
  return { atMs: 0, busy, oursMs: 0, ...change };
}

test('a process has a parent, time of its own and time of its ended children, in ticks of 10 ms', () => {
  expect(parseProcessStat(STAT)).toEqual({ parent: 7, ownMs: 2_000, endedMs: 500 });
});

test('what is no stat of a process is refused', () => {
  expect(() => parseProcessStat('42 (sh) R 7')).toThrow(/proc\(5\)/);
});

test('a core is busy with all but idling and waiting, the time that the hypervisor took included', () => {
  const text = 'cpu  10 2 5 700 40 1 1 3 0 0\ncpu0 4 1 2 300 40 0 1 3 0 0\nintr 5 6\nctxt 7\n';
  expect([...parseBusy(text)]).toEqual([
    ['cpu', 220],
    ['cpu0', 110],
  ]);
});

test('memory is told in MB of a million bytes', () => {
  expect(parseRssMb('Name:\tnode\nVmRSS:\t  125000 kB\nThreads:\t7\n')).toBe(128);
  expect(parseRssMb('Name:\tkthreadd\n')).toBeNaN();
});

test('ours is what we have started and what that has started, not what runs beside us', () => {
  const times = (parent: number, ownMs: number, endedMs = 0) => ({ parent, ownMs, endedMs });
  const all = new Map([
    [1, times(0, 9_000)],
    [10, times(1, 100, 40)],
    [11, times(10, 20)],
    [12, times(11, 3)],
    [20, times(1, 5_000)],
  ]);
  expect(oursMs(all, 10)).toBe(163);
});

test('others have what the machine was busy with and we were not', () => {
  const to = moment({
    atMs: 1_000,
    oursMs: 1_500,
    busy: new Map([
      ['cpu', 1_620],
      ['cpu0', 1_000],
      ['cpu1', 620],
    ]),
  });
  expect(othersPart(moment({}), to)).toBeCloseTo(0.06);
  expect(othersPart(moment({}), { ...to, oursMs: 1_700 })).toBe(0);
});

test('a core is as full as it was busy in that time', () => {
  const to = moment({ atMs: 2_000, busy: new Map([['cpu1', 1_950]]) });
  expect(corePart(moment({}), to, 1)).toBeCloseTo(0.975);
});
