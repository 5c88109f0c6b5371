// What a worker's requests meet, counted up before it is told: few messages, and nothing lost.
import { expect, test } from 'vitest';
import type { Seen } from '../../../../router/workers/messages.ts';
import { Sightings } from '../../../../router/workers/sightings.ts';
import { until } from '../../../support/wait.ts';

const NOTHING: Seen = { broken: [], noConnections: [], answers: [], refused: [], askStore: false };

function watching(): { sightings: Sightings; told: Seen[] } {
  const told: Seen[] = [];
  return { sightings: new Sightings((seen) => told.push(seen)), told };
}

test('answers are told together, each tenant of a cell with how many of which kind it had', async () => {
  const { sightings, told } = watching();
  for (let i = 0; i < 500; i += 1) sightings.answered('cell-a', 'good', 'acme');
  sightings.answered('cell-a', 'bad', 'acme');
  sightings.answered('cell-a', 'overloaded', 'bolt');
  sightings.answered('cell-b', 'good', null);
  expect(told).toEqual([]);
  await until('it is told', () => told.length > 0);
  const answers = [
    { cell: 'cell-a', tenant: 'acme', good: 500, overloaded: 0, bad: 1 },
    { cell: 'cell-a', tenant: 'bolt', good: 0, overloaded: 1, bad: 0 },
    { cell: 'cell-b', tenant: '', good: 1, overloaded: 0, bad: 0 },
  ];
  expect(told).toEqual([{ ...NOTHING, answers }]);
});

test('a connection that failed is told as soon as this turn is over, with all that failed in it', async () => {
  const { sightings, told } = watching();
  sightings.noConnection('cell-a', 'refused');
  sightings.noConnection('cell-a', 'refused');
  sightings.noConnection('cell-a', 'timed out');
  sightings.answered('cell-b', 'good', 'acme');
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({
    noConnections: [
      { cell: 'cell-a', reason: 'refused', count: 2 },
      { cell: 'cell-a', reason: 'timed out', count: 1 },
    ],
    answers: [{ cell: 'cell-b', tenant: 'acme', good: 1 }],
  });
});

test('of several requests of a tenant that broke it is told whether one was in another cell before', () => {
  const { sightings, told } = watching();
  sightings.broke('cell-a', { home: 'cell-b', tenant: 'acme', again: true });
  sightings.broke('cell-a', { home: 'cell-b', tenant: 'acme', again: false });
  sightings.flush();
  const broken = [{ cell: 'cell-a', one: { home: 'cell-b', tenant: 'acme', again: true } }];
  expect(told).toEqual([{ ...NOTHING, broken }]);
});

test('a tenant that is refused often within a moment is told once', () => {
  const { sightings, told } = watching();
  for (let i = 0; i < 5; i += 1) sightings.refused('cell-a', 'acme');
  sightings.flush();
  expect(told).toEqual([{ ...NOTHING, refused: [{ home: 'cell-a', tenant: 'acme' }] }]);
});

test('the store is asked for once however many want it, and nothing is told twice', () => {
  const { sightings, told } = watching();
  sightings.askStore();
  sightings.askStore();
  sightings.flush();
  sightings.flush();
  expect(told).toEqual([{ ...NOTHING, askStore: true }]);
});
