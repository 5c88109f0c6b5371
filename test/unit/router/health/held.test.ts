// Homes that are down and held back: which, why, and how often the audit log is told.
import { expect, test } from 'vitest';
import type { Decision } from '../../../../router/health/verdicts/decide.ts';
import type { Vote } from '../../../../router/health/record.ts';
import { awayRecord, DOWN, homesOf, syncedOf, UP } from '../../../support/machine.ts';
import { decided as decideOf, everyone, NOW, type Situation } from '../../../support/verdict.ts';

const SUSPECT: Vote = { opinion: 'down', evidence: 'failing', reason: '5xx since v2', suspect: 'release' };
const PAIR = homesOf('cell-a', 'cell-b');

function decided(a: Vote, b: Vote, situation: Partial<Situation> = {}): Decision {
  return decideOf({ homes: PAIR, votes: everyone({ 'cell-a': a, 'cell-b': b }), ...situation });
}

test('nothing is decided while the machines are not all heard', () => {
  const { changed, held } = decided(DOWN, UP, { warmingUp: true });
  expect(changed).toEqual([]);
  expect([...held]).toEqual([['cell-a', 'warming-up']]);
  expect(decided(UP, UP, { warmingUp: true, records: [awayRecord('cell-a', 'cell-b', 2)] }).changed).toEqual(
    [],
  );
});

test('a failing release is held, and no neighbour is asked to run it', () => {
  expect([...decided(SUSPECT, UP).held]).toEqual([['cell-a', 'suspect-release']]);
});

test('a home without a neighbour that could stand in is held', () => {
  expect([...decided(DOWN, DOWN).held]).toEqual([
    ['cell-a', 'no-target'],
    ['cell-b', 'no-target'],
  ]);
});

test('a home is held while its new neighbour has tenants of the home that had it before', () => {
  const homes = [
    { home: 'cell-a', neighbour: 'cell-c', buckets: 1, zone: null },
    { home: 'cell-x', neighbour: 'cell-b', buckets: 1, zone: null },
  ];
  const votes = everyone({ 'cell-a': DOWN, 'cell-b': UP, 'cell-c': UP });
  const records = [awayRecord('cell-x', 'cell-c', 2)];
  const said = { homes, votes, records, maxFailedOver: 1 };
  expect([...decideOf(said).held]).toEqual([['cell-a', 'no-target']]);
  const homesOfC = homes.map((rule) => ({ ...rule, neighbour: 'cell-c' }));
  expect(decideOf({ ...said, homes: homesOfC }).changed).toMatchObject([{ home: 'cell-a', share: 100 }]);
});

test('a home whose neighbour has no synced standby of it is held where one is required', () => {
  const required = { requiresStandby: true };
  const { changed, held, events } = decided(DOWN, syncedOf('cell-b'), required);
  expect([changed, [...held]]).toEqual([[], [['cell-a', 'no-standby']]]);
  expect(events).toMatchObject([{ cell: 'cell-a', details: { held: 'no-standby' } }]);
  expect(decided(DOWN, syncedOf('cell-a'), required).changed).toMatchObject([
    { target: 'cell-b', share: 100 },
  ]);
  expect(decided(DOWN, UP).changed).toHaveLength(1);
});

test('a home that fails on its way home is held, too, and who is away stays there', () => {
  const returning = { ...awayRecord('cell-a', 'cell-b', 2), state: 'returning', share: 50 } as const;
  const { changed, held } = decided(DOWN, UP, { requiresStandby: true, records: [returning] });
  expect([changed, [...held]]).toEqual([[], [['cell-a', 'no-standby']]]);
});

test('the first time, an event says so', () => {
  expect(decided(SUSPECT, UP).events).toEqual([
    {
      at: NOW,
      cell: 'cell-a',
      from: 'serving',
      to: 'serving',
      epoch: 1,
      cause: 'unreachable',
      actor: 'quorum',
      reason: '3 of 3 routers: 5xx since v2',
      details: {
        held: 'suspect-release',
        suspect: 'release',
        votes: { r1: 'down', r2: 'down', r3: 'down' },
      },
    },
  ]);
});

test('it is not told again while the reason is the same, and is when the reason changes', () => {
  expect(decided(SUSPECT, UP, { held: { 'cell-a': 'suspect-release' } }).events).toEqual([]);
  expect(decided(SUSPECT, UP, { held: { 'cell-a': 'no-target' } }).events).toHaveLength(1);
});

test.each<[string, Vote, Vote]>([
  ['up again', UP, UP],
  ['let go to its neighbour', DOWN, UP],
])('a home that is %s is held no more', (_, a, b) => {
  expect([...decided(a, b, { held: { 'cell-a': 'budget' } }).held]).toEqual([]);
});

test('a home that is away is not held', () => {
  const records = [awayRecord('cell-a', 'cell-b', 2)];
  expect([...decided(DOWN, UP, { records, held: { 'cell-a': 'budget' } }).held]).toEqual([]);
});

test('what is known of homes in the fleet file of other machines stays', () => {
  const other = { held: { 'cell-x': 'budget' as const }, lost: { 'cell-x': 5 } };
  const { held, lost } = decided(UP, UP, other);
  expect([...held, ...lost]).toEqual([
    ['cell-x', 'budget'],
    ['cell-x', 5],
  ]);
});
