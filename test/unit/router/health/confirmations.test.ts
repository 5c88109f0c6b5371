// What this router says of handovers: only of those that it knows, and of each what is true of that one.
import { expect, test } from 'vitest';
import { Confirmations } from '../../../../router/health/confirmations.ts';
import { closing, opened } from '../../../../router/health/verdicts/handover.ts';
import { initialRecord } from '../../../../router/health/record.ts';

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const DRAINING = closing(initialRecord('cell-a', 'cell-b'), { share: 30 }, null, TERMS, 0);
const AGAIN = { ...DRAINING, epoch: 4 };

function confirmations(): { told: Confirmations; changes: () => number } {
  let changes = 0;
  const told = new Confirmations(() => (changes += 1));
  return { told, changes: () => changes };
}

test('a handover that is known is told of, at first without any word but that', () => {
  const { told, changes } = confirmations();
  told.follow([initialRecord('cell-b', 'cell-a'), DRAINING]);
  expect(told.told).toEqual({ 'cell-a': { epoch: 2, held: false, ready: false } });
  expect(changes()).toBe(1);
});

test('each of the two words is told at once', () => {
  const { told, changes } = confirmations();
  told.follow([DRAINING]);
  told.held('cell-a', 2);
  expect(told.told).toEqual({ 'cell-a': { epoch: 2, held: true, ready: false } });
  told.ready('cell-a', 2);
  expect(told.told).toEqual({ 'cell-a': { epoch: 2, held: true, ready: true } });
  expect(changes()).toBe(3);
});

test('a word on another epoch, or another home, says nothing', () => {
  const { told, changes } = confirmations();
  told.follow([DRAINING]);
  told.held('cell-a', 1);
  told.ready('cell-a', 3);
  told.held('cell-b', 2);
  expect(told.told).toEqual({ 'cell-a': { epoch: 2, held: false, ready: false } });
  expect(changes()).toBe(1);
});

test('the next handover begins without a word, and after its end there is none', () => {
  const { told } = confirmations();
  told.follow([DRAINING]);
  told.held('cell-a', 2);
  told.follow([AGAIN]);
  expect(told.told).toEqual({ 'cell-a': { epoch: 4, held: false, ready: false } });
  told.follow([opened(AGAIN, 0)]);
  expect(told.told).toEqual({});
});
