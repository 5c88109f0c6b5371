// The verdict, case by case.
import { closing } from '../../../../../router/health/verdicts/handover.ts';
import { expect, test } from 'vitest';
import { initialRecord, type HealthRecord, type Vote } from '../../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, SELF_DECLARED, UP } from '../../../../support/machine.ts';
import { decided as decideOf, NOW, type Situation } from '../../../../support/verdict.ts';

const PAIR = homesOf('cell-a', 'cell-b');
const THREE = homesOf('cell-a', 'cell-b', 'cell-c');

function decided(votes: Record<string, Vote>[], situation: Partial<Situation> = {}) {
  return decideOf({ homes: PAIR, votes, ...situation });
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
  const first = { home: 'cell-a', neighbour: 'cell-a', buckets: 1, zone: null };
  expect(decided([{ 'cell-a': DOWN }], { homes: [first] }).changed).toEqual([]);
  expect(decided([{ 'cell-a': DOWN }], { homes: [{ ...first, neighbour: null }] }).changed).toEqual([]);
});

test('a neighbour whose own tenants are away on a dwell can stand in, and they stay where they are', () => {
  const records = [{ ...awayRecord('cell-b', 'cell-c', 2), since: NOW }];
  const votes = { 'cell-a': DOWN, 'cell-b': UP, 'cell-c': UP };
  const { changed } = decided([votes], { homes: THREE, records, minDwellMs: 1e9, maxFailedOver: 1 });
  expect(changed.map(({ home, target }) => [home, target])).toEqual([['cell-a', 'cell-b']]);
});

test('a neighbour that is drained stands in for nobody', () => {
  const records: HealthRecord[] = [{ ...awayRecord('cell-b', 'cell-c', 2), state: 'drained' }];
  const votes = { 'cell-a': DOWN, 'cell-b': UP, 'cell-c': UP };
  expect(decided([votes], { homes: THREE, records }).changed).toEqual([]);
});

test('two cells never stand in for one another while one of them is down', () => {
  const lagging = { 'cell-a': DOWN, 'cell-b': { ...UP, caughtUp: false } };
  const records = [awayRecord('cell-b', 'cell-a', 2)];
  const { changed, held } = decided([lagging], { records, neighbourLostMs: 1 });
  expect(changed).toEqual([]);
  expect([...held]).toEqual([['cell-a', 'no-target']]);
});

test('a cell that stands in for another may itself go to its own neighbour; its guest stays', () => {
  const records = [awayRecord('cell-a', 'cell-b', 2)];
  const votes = { 'cell-a': DOWN, 'cell-b': DOWN, 'cell-c': UP };
  const { changed } = decided([votes], { homes: THREE, records });
  expect(changed.map(({ home, target }) => [home, target])).toEqual([['cell-b', 'cell-c']]);
});

test('ways home come before failovers, so that a neighbour that returns can stand in at once', () => {
  const votes = { 'cell-a': DOWN, 'cell-b': UP };
  const { changed } = decided([votes], { records: [awayRecord('cell-b', 'cell-a', 2)] });
  expect(changed.map(({ home, target, cause }) => [home, target, cause])).toEqual([
    ['cell-b', 'cell-b', 'neighbour-lost'],
    ['cell-a', 'cell-b', 'unreachable'],
  ]);
});

test('homes are decided in the order of their names', () => {
  const votes = { 'cell-a': DOWN, 'cell-b': UP, 'cell-c': DOWN };
  const homes = [
    ...homesOf('cell-a', 'cell-b'),
    { home: 'cell-c', neighbour: 'cell-b', buckets: 1, zone: null },
  ];
  const { changed } = decided([votes], { homes: [...homes].reverse(), maxFailedOver: 1 });
  expect(changed.map(({ home }) => home)).toEqual(['cell-a', 'cell-c']);
});

test('a home that is up again begins its way home after the dwell', () => {
  const away = { ...awayRecord('cell-a', 'cell-b', 2), since: NOW - 500 };
  expect(decided([A_UP], { records: [away], minDwellMs: 501 }).changed).toEqual([]);
  const { changed, events } = decided([A_UP], { records: [away], minDwellMs: 500 });
  const reason = '1 of 1 routers: answers again (10 % home)';
  const { state, target, operation, deadline, cause, pins, moved } = away;
  expect(changed).toEqual([
    {
      ...away,
      state: 'returning',
      phase: 'closing',
      epoch: 3,
      share: 90,
      shareBefore: 100,
      operation: 3,
      since: NOW,
      cause: 'recovered',
      handover: {
        until: NOW + 2_000,
        actor: 'quorum',
        reason,
        to: null,
        from: { state, target, operation, deadline, cause, pins, moved },
      },
    },
  ]);
  expect(events).toMatchObject([
    { from: 'failed-over', to: 'returning', epoch: 3, cause: 'recovered', actor: 'quorum', reason },
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

test('a drained home is left alone, whatever the votes', () => {
  const records: HealthRecord[] = [
    { ...awayRecord('cell-a', 'cell-b', 2), state: 'drained', cause: 'operator' },
  ];
  expect(decided([A_UP], { records }).changed).toEqual([]);
  expect(decided([A_DOWN], { records }).changed).toEqual([]);
});

test('a home that fails on its way home goes back at once, whatever the budget says, and has relapsed', () => {
  const returning: HealthRecord = {
    ...awayRecord('cell-a', 'cell-b', 4),
    state: 'returning',
    cause: 'recovered',
    share: 50,
    operation: 3,
    relapses: 1,
  };
  expect(decided([A_DOWN], { records: [returning], maxFailedOver: 0 }).changed).toMatchObject([
    {
      state: 'failed-over',
      phase: 'open',
      share: 100,
      shareBefore: 50,
      operation: null,
      epoch: 5,
      relapses: 2,
    },
  ]);
});

test('a home that fails soon after its way home has relapsed; later it begins anew', () => {
  const home = { ...initialRecord('cell-a', 'cell-b'), cause: 'recovered' as const, epoch: 9, relapses: 3 };
  const failed = (ms: number) =>
    decided([A_DOWN], { records: [{ ...home, returned: NOW - ms }], minDwellMs: 1_000 }).changed;
  expect(failed(7_999)).toMatchObject([{ relapses: 4 }]);
  expect(failed(8_000)).toMatchObject([{ relapses: 0 }]);
});

test.each<[string, Partial<HealthRecord>, number]>([
  ['a pin or a drain that ended just before is no return', { cause: 'expired', since: NOW - 1 }, 0],
  ['a return is one, whatever changed since', { cause: 'move', since: NOW, returned: NOW - 999 }, 1],
])('%s', (_, how, relapses) => {
  const records = [{ ...initialRecord('cell-a', 'cell-b'), epoch: 9, ...how }];
  expect(decided([A_DOWN], { records, minDwellMs: 1_000 }).changed).toMatchObject([{ relapses }]);
});

test('a failover overtakes a handover, and puts back what it was changing', () => {
  const pins = { acme: { cell: 'cell-b', until: NOW + 9 } };
  const before = initialRecord('cell-a', 'cell-b');
  const record = closing(
    before,
    { pins },
    { tenants: ['acme'], buckets: [] },
    { until: NOW + 1_000, actor: 'ada', reason: 'test', to: null },
    NOW,
  );
  expect(decided([A_DOWN], { records: [record] }).changed).toMatchObject([
    { state: 'failed-over', phase: 'open', epoch: 3, pins: {}, changing: null, handover: null },
  ]);
});

test('a change keeps what it is not about', () => {
  const record = {
    ...initialRecord('cell-a', 'cell-b'),
    pins: { acme: { cell: 'cell-a', until: 9_000_000_000_000 } },
    moved: [{ buckets: [1, 2] as [number, number], to: 'cell-c', generation: 2 }],
  };
  expect(decided([A_DOWN], { records: [record] }).changed).toMatchObject([
    {
      pins: { acme: { cell: 'cell-a', until: 9_000_000_000_000 } },
      moved: [{ buckets: [1, 2], to: 'cell-c', generation: 2 }],
    },
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
  const homes = [{ home: 'constructor', neighbour: 'cell-b', buckets: 1, zone: null }];
  expect(decided([{ 'cell-b': UP }], { homes }).changed).toEqual([]);
});
