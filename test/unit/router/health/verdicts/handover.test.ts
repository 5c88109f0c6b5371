// The steps of a handover, from record to record.
import { expect, test } from 'vitest';
import {
  anyAway,
  closing,
  leansOn,
  opened,
  putBack,
  undone,
} from '../../../../../router/health/verdicts/handover.ts';
import { without } from '../../../../../router/health/verdicts/moved.ts';
import { initialRecord, type HealthRecord, type Moved } from '../../../../../router/health/record.ts';
import { awayRecord } from '../../../../support/machine.ts';

const NOW = 100_000;
const TERMS = { until: NOW + 2_000, actor: 'ada', reason: 'disk swap', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
const DRAIN = { state: 'serving', share: 10, deadline: NOW + 9, cause: 'operator' } as const;
const DRAINING = closing(HOME, DRAIN, null, TERMS, NOW);

test('a share that leaves 0 begins an operation, named after its epoch', () => {
  expect(DRAINING).toMatchObject({ epoch: 2, operation: 2, share: 10, shareBefore: 0, target: 'cell-b' });
});

test('another share meanwhile is the same operation; at 0 or 100 it ends', () => {
  const tenth = opened(DRAINING, NOW);
  const half = closing(tenth, { share: 50 }, null, TERMS, NOW);
  expect(half).toMatchObject({ epoch: 4, operation: 2, shareBefore: 10 });
  const all = closing(opened(half, NOW), { share: 100 }, null, TERMS, NOW);
  expect(opened(all, NOW)).toMatchObject({ epoch: 7, operation: null });
});

test('an undone handover leaves the record as it was, but for its epoch and the count', () => {
  expect(undone(DRAINING, NOW + 5)).toEqual({
    ...HOME,
    epoch: 3,
    shareBefore: 10,
    since: NOW + 5,
    undone: 1,
  });
});

test('an open handover begins to count anew', () => {
  expect(opened({ ...DRAINING, undone: 4 }, NOW).undone).toBe(0);
});

test('of a closing record whose beginning nobody knows the share says what it was', () => {
  const adopted = { ...DRAINING, handover: null };
  expect(putBack(adopted)).toMatchObject({ state: 'serving', share: 0, target: 'cell-a', operation: null });
  const back: HealthRecord = { ...adopted, share: 90, shareBefore: 100 };
  expect(putBack(back)).toMatchObject({
    state: 'failed-over',
    share: 100,
    target: 'cell-b',
    operation: null,
  });
});

test('a home leans on its neighbour from the closing on, and until the last handover can not be undone', () => {
  expect(leansOn(DRAINING, 'cell-b')).toBe(true);
  const back = closing(awayRecord('cell-a', 'cell-b', 5), { share: 0 }, null, TERMS, NOW);
  expect([leansOn(back, 'cell-b'), leansOn(opened(back, NOW), 'cell-b')]).toEqual([true, false]);
});

test('a pin to the neighbour is somebody away, a pin to the home is not', () => {
  const pinned = (cell: string) => ({ ...HOME, pins: { acme: { cell, until: NOW } } });
  expect([anyAway(HOME), anyAway(pinned('cell-a')), anyAway(pinned('cell-b'))]).toEqual([false, false, true]);
});

test('what goes to one cell leaves the ranges of what went to another as they are', () => {
  const moved: Moved[] = [
    { buckets: [0, 99], to: 'cell-c', generation: 3 },
    { buckets: [0, 99], to: 'cell-d', generation: 2 },
    { tenant: 'acme', to: 'cell-c' },
  ];
  expect(without(moved, { tenants: ['acme'], buckets: [[0, 49]] }, 'cell-d')).toEqual([
    { buckets: [0, 99], to: 'cell-c', generation: 3 },
    { buckets: [50, 99], to: 'cell-d', generation: 2 },
  ]);
});

test('what came back is taken out of what was moved, to the bucket', () => {
  const moved: Moved[] = [
    { buckets: [0, 99], to: 'cell-c', generation: 2 },
    { tenant: 'acme', to: 'cell-c' },
    { tenant: 'bolt', to: 'cell-c' },
  ];
  expect(
    without(moved, {
      tenants: ['acme'],
      buckets: [
        [10, 19],
        [90, 200],
      ],
    }),
  ).toEqual([
    { buckets: [0, 9], to: 'cell-c', generation: 2 },
    { buckets: [20, 89], to: 'cell-c', generation: 2 },
    { tenant: 'bolt', to: 'cell-c' },
  ]);
});
