// Handovers as they are read from the audit log.
import { expect, test } from 'vitest';
import { turnsOf, type AuditEvent } from '../../../../loadtest/bench/turns.ts';

const SECOND = (ms: number): string => new Date(ms).toISOString();

function event(epoch: number, at: number, details: Record<string, unknown>, cell = 'cell-a'): AuditEvent {
  return { at: SECOND(at), cell, epoch, details };
}

const closing = (epoch: number, at: number, share: number, shareBefore: number): AuditEvent =>
  event(epoch, at, { phase: 'closing', share, shareBefore });
const neighbourOf = (home: string): string => (home === 'cell-a' ? 'cell-b' : 'cell-a');

test('a handover has an end, and lasts until the next change of its home', () => {
  const events = [
    closing(4, 2_000, 100, 50),
    event(3, 1_050, { phase: 'open' }),
    closing(2, 1_000, 50, 0),
    event(9, 1_500, { phase: 'closing', share: 100, shareBefore: 0 }, 'cell-c'),
  ];
  expect(turnsOf(events, neighbourOf)[0]).toEqual({
    home: 'cell-a',
    losing: 'cell-a',
    gaining: 'cell-b',
    closingMs: 1_000,
    endMs: 1_050,
    outcome: 'open',
    untilMs: 2_000,
    waitingFor: [],
  });
});

test('one that has no end yet is under way', () => {
  const [turn] = turnsOf([closing(2, 1_000, 50, 0)], neighbourOf);
  expect(turn).toMatchObject({ outcome: 'under way', endMs: null, untilMs: Number.POSITIVE_INFINITY });
});

test('one that is undone says who had not confirmed', () => {
  const end = event(3, 3_000, { phase: 'undone', waitingFor: ['router-1: requests inside'] });
  expect(turnsOf([closing(2, 1_000, 50, 0), end], neighbourOf)).toMatchObject([
    { outcome: 'undone', waitingFor: ['router-1: requests inside'] },
  ]);
});

test('a verdict ends one at once: what is served from then on is the verdict’s', () => {
  const [turn] = turnsOf([closing(2, 1_000, 50, 90), event(3, 1_200, { target: 'cell-b' })], neighbourOf);
  expect(turn).toMatchObject({ outcome: 'overtaken', endMs: 1_200, untilMs: 1_200 });
});

test('a failover that was held back is no end of anything', () => {
  const held = event(3, 1_060, { held: 'budget' });
  const [turn] = turnsOf([held, closing(2, 1_000, 50, 0), event(3, 1_050, { phase: 'open' })], neighbourOf);
  expect(turn).toMatchObject({ outcome: 'open', endMs: 1_050 });
});

test.each([
  ['a share that falls', { share: 50, shareBefore: 90 }, 'cell-b', 'cell-a'],
  ['a pin to the neighbour', { share: 0, shareBefore: 0, pin: { cell: 'cell-b' } }, 'cell-a', 'cell-b'],
  ['the end of a pin', { share: 0, shareBefore: 0, pin: { cell: null } }, 'cell-b', 'cell-a'],
  ['a cut-over', { share: 0, shareBefore: 0, cutOver: { to: 'cell-e' } }, 'cell-a', 'cell-e'],
])('%s tells who loses and who gains', (_, details, losing, gaining) => {
  expect(turnsOf([event(2, 1_000, { phase: 'closing', ...details })], neighbourOf)).toMatchObject([
    { losing, gaining },
  ]);
});
