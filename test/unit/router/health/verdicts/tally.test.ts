// The count of the votes on one cell.
import { expect, test } from 'vitest';
import type { Vote } from '../../../../../router/health/record.ts';
import { hasSynced, tally, type Tally } from '../../../../../router/health/verdicts/tally.ts';
import { DOWN, SELF_DECLARED, syncedOf, UP } from '../../../../support/machine.ts';
import { liveOf } from '../../../../support/verdict.ts';

const FAILING = { opinion: 'down', evidence: 'failing', reason: 'gateway errors' } satisfies Vote;
const SUSPECT = { ...FAILING, suspect: 'release' } satisfies Vote;

function of(...votes: (Vote | null)[]): Tally {
  return tally(liveOf(votes.map((vote): Record<string, Vote> => (vote === null ? {} : { x: vote }))), 'x');
}

test('more than half of the live machines are a majority, those without an opinion counted', () => {
  expect(of(UP, UP, DOWN).verdict).toBe('up');
  expect(of(DOWN, DOWN, null).verdict).toBe('down');
  expect(of(DOWN, UP).verdict).toBe(null);
  expect(of(DOWN, null).verdict).toBe(null);
  expect(of().verdict).toBe(null);
});

test('a failing release is down, and no call for a failover', () => {
  expect(of(SUSPECT, SUSPECT, UP)).toMatchObject({ verdict: 'down', failover: false, suspects: 2 });
});

test('a majority must call for a failover: suspects are not added to it', () => {
  expect(of(SUSPECT, FAILING, UP)).toMatchObject({ verdict: 'down', failover: false });
  expect(of(SUSPECT, FAILING, DOWN)).toMatchObject({ verdict: 'down', failover: true });
});

test.each<Vote>([DOWN, SELF_DECLARED])('a fresh release that is $evidence calls for a failover', (vote) => {
  const suspect = { ...vote, suspect: 'release' } as Vote;
  expect(of(suspect, suspect, UP)).toMatchObject({ failover: true, suspects: 2 });
});

test('a cell has caught up when most of those that find it up do not deny it', () => {
  const lagging: Vote = { opinion: 'up', caughtUp: false };
  const caughtUp: Vote = { opinion: 'up', caughtUp: true };
  expect(of(UP, UP, UP).caughtUp).toBe(true);
  expect(of(caughtUp, UP, lagging).caughtUp).toBe(true);
  expect(of(caughtUp, lagging).caughtUp).toBe(false);
  expect(of(lagging, DOWN, DOWN).caughtUp).toBe(false);
});

test.each<[boolean, (Vote | null)[]]>([
  [true, [syncedOf('y')]],
  [true, [syncedOf('x', 'y'), syncedOf('y'), UP]],
  [true, [syncedOf('y'), null, null]],
  [false, [syncedOf('y'), UP]],
  [false, [syncedOf('y'), DOWN]],
  [false, [syncedOf('z')]],
  [false, [null]],
])('a standby is synced (%s) when more than half of the opinions of its cell say so', (expected, votes) => {
  const live = liveOf(votes.map((vote): Record<string, Vote> => (vote === null ? {} : { x: vote })));
  expect(hasSynced(live, 'x', 'y')).toBe(expected);
});

test('the most frequent reason is quoted, an empty one too', () => {
  expect(of({ ...DOWN, reason: 'x' }, { ...DOWN, reason: '' }, { ...DOWN, reason: '' }).reason).toBe('');
  expect(of({ ...DOWN, reason: 'x' }, { ...DOWN, reason: '' }).reason).toBe('x');
});
