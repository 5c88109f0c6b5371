// The verdict, case by case.
import { expect, test } from 'vitest';
import { decide, type DecideInput, type Decision } from '../../../../router/health/decide.ts';
import { initialRecord, type HealthRecord, type Vote } from '../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, SELF_DECLARED, UP } from '../../../support/machine.ts';

const NOW = 100_000;
const PAIR = homesOf('cell-a', 'cell-b');
const THREE = homesOf('cell-a', 'cell-b', 'cell-c');

function decided(
  votes: Record<string, Vote>[],
  options: { records?: HealthRecord[]; homes?: DecideInput['homes']; minDwellMs?: number } = {},
): Decision {
  return decide({
    now: NOW,
    live: new Map(votes.map((ofMachine, i) => [`r${i + 1}`, ofMachine])),
    homes: options.homes ?? PAIR,
    records: new Map(options.records?.map((record) => [record.home, record])),
    minDwellMs: options.minDwellMs ?? 0,
  });
}

const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };

test('a home that is down by majority goes to its neighbour, whole and one epoch on', () => {
  expect(decided([A_DOWN]).changed).toEqual([
    {
      ...initialRecord('cell-a', 'cell-b'),
      state: 'failed-over',
      target: 'cell-b',
      epoch: 2,
      share: 100,
      since: NOW,
      cause: 'unreachable',
    },
  ]);
});

test('half of the machines are no majority', () => {
  expect(decided([A_DOWN, A_UP]).changed).toEqual([]);
});

test('machines without an opinion count among the live ones', () => {
  expect(decided([A_DOWN, { 'cell-b': UP }, { 'cell-b': UP }]).changed).toEqual([]);
});

test('without any live machine nothing changes', () => {
  expect(decided([], { records: [awayRecord('cell-a', 'cell-b', 4)] }).changed).toEqual([]);
});

test('a neighbour that is not known to be up is no place to go', () => {
  expect(decided([{ 'cell-a': DOWN }]).changed).toEqual([]);
  expect(decided([{ 'cell-a': DOWN, 'cell-b': DOWN }]).changed).toEqual([]);
});

test('a cell without a neighbour stays where it is', () => {
  expect(decided([{ 'cell-a': DOWN }], { homes: homesOf('cell-a') }).changed).toEqual([]);
  expect(decided([{ 'cell-a': DOWN }], { homes: [{ home: 'cell-a', neighbour: null }] }).changed).toEqual([]);
});

test('failover never chains: a neighbour that is itself away stands in for nobody', () => {
  const records = [awayRecord('cell-b', 'cell-c', 2)];
  const votes = { 'cell-a': DOWN, 'cell-b': UP, 'cell-c': UP };
  expect(decided([votes], { homes: THREE, records, minDwellMs: 1e9 }).changed).toEqual([]);
});

test('a cell that stands in for another may itself go to its own neighbour; its guest stays', () => {
  const records = [awayRecord('cell-a', 'cell-b', 2)];
  const votes = { 'cell-a': DOWN, 'cell-b': DOWN, 'cell-c': UP };
  const { changed } = decided([votes], { homes: THREE, records });
  expect(changed.map(({ home, target }) => [home, target])).toEqual([['cell-b', 'cell-c']]);
});

test('homes are decided in the order of their names, each seeing the ones before it', () => {
  const votes = { 'cell-a': UP, 'cell-b': DOWN, 'cell-c': UP };
  const records = [awayRecord('cell-a', 'cell-b', 2)];
  const backwards = [...THREE].reverse();
  const { changed } = decided([votes], { homes: backwards, records });
  expect(changed.map(({ home, state }) => [home, state])).toEqual([
    ['cell-a', 'serving'],
    ['cell-b', 'failed-over'],
  ]);
});

test('a home that is up again returns after the dwell', () => {
  const away = { ...awayRecord('cell-a', 'cell-b', 2), since: NOW - 500 };
  expect(decided([A_UP], { records: [away], minDwellMs: 501 }).changed).toEqual([]);
  expect(decided([A_UP], { records: [away], minDwellMs: 500 }).changed).toEqual([
    {
      ...initialRecord('cell-a', 'cell-b'),
      epoch: 3,
      shareBefore: 100,
      since: NOW,
      cause: 'recovered',
    },
  ]);
});

test('a home that is up while its neighbour is down returns at once', () => {
  const away = { ...awayRecord('cell-a', 'cell-b', 2), since: NOW };
  const options = { records: [away], homes: PAIR.slice(0, 1), minDwellMs: 1e9 };
  const { changed } = decided([{ 'cell-a': UP, 'cell-b': DOWN }], options);
  expect(changed).toMatchObject([
    { home: 'cell-a', state: 'serving', target: 'cell-a', cause: 'neighbour-lost' },
  ]);
});

test('a home that is still down stays away, whatever becomes of its neighbour', () => {
  const away = awayRecord('cell-a', 'cell-b', 2);
  expect(decided([{ 'cell-a': DOWN, 'cell-b': DOWN }], { records: [away] }).changed).toEqual([]);
});

test('states of planned changes are left alone', () => {
  const records: HealthRecord[] = [
    { ...awayRecord('cell-a', 'cell-b', 2), state: 'returning' },
    { ...awayRecord('cell-b', 'cell-a', 2), state: 'drained' },
  ];
  expect(decided([A_UP], { records }).changed).toEqual([]);
  expect(decided([A_DOWN], { records }).changed).toEqual([]);
});

test('a change of neighbour in the fleet is taken up with the next change of the record', () => {
  const away = awayRecord('cell-a', 'cell-b', 2);
  const homes = [{ home: 'cell-a', neighbour: 'cell-c' }];
  expect(decided([A_UP], { records: [away], homes }).changed).toMatchObject([
    { target: 'cell-a', neighbour: 'cell-c', epoch: 3 },
  ]);
});

test('a change keeps what it is not about', () => {
  const record = {
    ...initialRecord('cell-a', 'cell-b'),
    pins: { acme: 'cell-a' },
    moved: [[1, 2] as [number, number]],
  };
  expect(decided([A_DOWN], { records: [record] }).changed).toMatchObject([
    { pins: { acme: 'cell-a' }, moved: [[1, 2]] },
  ]);
});

test('the cause is what most down votes saw; a tie is unreachable', () => {
  const self = { 'cell-a': SELF_DECLARED, 'cell-b': UP };
  expect(decided([A_DOWN, self, self]).changed).toMatchObject([{ cause: 'self-declared' }]);
  expect(decided([A_DOWN, self]).changed).toMatchObject([{ cause: 'unreachable' }]);
});

test('failing traffic counts as unreachable', () => {
  const failing: Vote = { opinion: 'down', evidence: 'failing', reason: 'time-outs' };
  expect(decided([{ 'cell-a': failing, 'cell-b': UP }]).changed).toMatchObject([{ cause: 'unreachable' }]);
});

test('the event says how many saw what, and how each voted', () => {
  const { events } = decided([A_DOWN, A_DOWN, { 'cell-b': UP }]);
  expect(events).toEqual([
    {
      at: NOW,
      cell: 'cell-a',
      from: 'serving',
      to: 'failed-over',
      epoch: 2,
      cause: 'unreachable',
      actor: 'quorum',
      reason: '2 of 3 routers: connection refused',
      details: { target: 'cell-b', votes: { r1: 'down', r2: 'down', r3: 'unknown' } },
    },
  ]);
});

test('of equally frequent reasons the first machine by name is quoted', () => {
  const timedOut = { 'cell-a': { ...DOWN, reason: 'timed out' }, 'cell-b': UP };
  expect(decided([timedOut, A_DOWN]).events[0]?.reason).toBe('2 of 2 routers: timed out');
});

test('an event names the votes of twenty machines at most', () => {
  const { events } = decided(Array.from({ length: 30 }, () => A_DOWN));
  expect(Object.keys(events[0]?.details?.['votes'] ?? {})).toHaveLength(20);
});

test('a cell named like a property of every object has no votes', () => {
  const homes = [{ home: 'constructor', neighbour: 'cell-b' }];
  expect(decided([{ 'cell-b': UP }], { homes }).changed).toEqual([]);
});
