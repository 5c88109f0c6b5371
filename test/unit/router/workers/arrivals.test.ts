// What several workers have seen, as the one monitor gets it.
import { expect, test } from 'vitest';
import { Opinion } from '../../../../router/health/cells/opinion.ts';
import { Arrivals, type Watcher } from '../../../../router/workers/arrivals.ts';
import type { Seen } from '../../../../router/workers/messages.ts';
import { until } from '../../../support/wait.ts';

const NOTHING: Seen = { broken: [], noConnections: [], answers: [], refused: [], askStore: false };

function answersOf(tenant: string, good: number, bad: number): Seen['answers'][number] {
  return { cell: 'cell-a', tenant, good, overloaded: 0, bad };
}

/** Every call, in order, as text. */
function listening(more: Partial<Watcher> = {}): { arrivals: Arrivals; calls: string[] } {
  const calls: string[] = [];
  const watcher: Watcher = {
    observeBroken: (cell, { tenant }) => calls.push(`broken ${cell} ${tenant}`),
    observeNoConnection: (cell, reason) => calls.push(`none ${cell} ${reason}`),
    observeAnswer: (cell, outcome, tenant) => calls.push(`${outcome} ${cell} ${tenant}`),
    countRefused: (home, tenant) => calls.push(`refused ${home} ${tenant}`),
    askStore: () => calls.push('ask'),
    ...more,
  };
  return { arrivals: new Arrivals(watcher), calls };
}

test('who was inside is known before the failure that may be the death of the cell, and both at once', () => {
  const { arrivals, calls } = listening();
  arrivals.take({
    ...NOTHING,
    noConnections: [{ cell: 'cell-a', reason: 'refused', count: 2 }],
    broken: [{ cell: 'cell-a', one: { home: 'cell-a', tenant: 'acme', again: false } }],
    refused: [{ home: 'cell-a', tenant: 'bolt' }],
    askStore: true,
  });
  expect(calls).toEqual([
    'broken cell-a acme',
    'none cell-a refused',
    'none cell-a refused',
    'refused cell-a bolt',
    'ask',
  ]);
});

test('each answer counts, those of no tenant too', async () => {
  const { arrivals, calls } = listening();
  arrivals.take({ ...NOTHING, answers: [answersOf('acme', 1, 1), answersOf('', 1, 0)] });
  arrivals.take({ ...NOTHING, answers: [answersOf('acme', 1, 0)] });
  expect(calls).toEqual([]);
  await until('they are counted', () => calls.length > 0);
  expect(calls).toEqual(['good cell-a acme', 'good cell-a acme', 'good cell-a null', 'bad cell-a acme']);
});

test('a cell is not given up for one worker’s bad answers where the other’s good ones outweigh them', async () => {
  const opinion = new Opinion(3, 4);
  opinion.probeSucceeded();
  let seen = 0;
  const { arrivals } = listening({
    observeAnswer: (_, outcome, tenant) => {
      seen += 1;
      opinion.observeAnswer(outcome === 'bad', tenant, 1);
    },
  });
  const bad = Array.from({ length: 10 }, (_, i) => answersOf(`bad-${i}`, 0, 3));
  const good = Array.from({ length: 10 }, (_, i) => answersOf(`good-${i}`, 10, 0));
  arrivals.take({ ...NOTHING, answers: bad });
  arrivals.take({ ...NOTHING, answers: good });
  await until('all are counted', () => seen === 130);
  expect(opinion.state).toBe('up');
});

test('a storm of failed connections is as much work as the longest row that can be asked for', () => {
  const { arrivals, calls } = listening();
  arrivals.take({ ...NOTHING, noConnections: [{ cell: 'cell-a', reason: 'refused', count: 1_000_000 }] });
  expect(calls).toHaveLength(100);
});
