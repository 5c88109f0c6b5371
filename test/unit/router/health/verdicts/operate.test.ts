// A failover by hand: what it changes, and the safety rules by name.
import { expect, test } from 'vitest';
import { boundedWish, forcedFailover } from '../../../../../router/health/verdicts/operate.ts';
import { initialRecord, type HealthRecord, type Vote } from '../../../../../router/health/record.ts';
import type { FailOver } from '../../../../../router/health/store.ts';
import { awayRecord, DOWN, syncedOf, UP } from '../../../../support/machine.ts';
import { liveOf, NOW } from '../../../../support/verdict.ts';

const WISH: FailOver = {
  home: 'cell-a',
  neighbour: 'cell-b',
  actor: 'ada',
  reason: 'disk swap',
  owner: 'team-core',
  expiresInMs: 60_000,
  requiresStandby: false,
  override: [],
};
const ALL_UP = { 'cell-a': UP, 'cell-b': UP };

function forced(
  wish: Partial<FailOver> = {},
  votes: Record<string, Vote> = ALL_UP,
  records: HealthRecord[] = [],
) {
  const live = liveOf([votes]);
  return forcedFailover(
    { ...WISH, ...wish },
    { now: NOW, live, records: new Map(records.map((one) => [one.home, one])) },
  );
}

test('a home that is up goes to its neighbour, with a deadline and the name of who wished it', () => {
  expect(forced()).toEqual({
    record: {
      ...awayRecord('cell-a', 'cell-b', 2),
      since: NOW,
      cause: 'operator',
      deadline: NOW + 60_000,
    },
    event: {
      at: NOW,
      cell: 'cell-a',
      from: 'serving',
      to: 'failed-over',
      epoch: 2,
      cause: 'operator',
      actor: 'ada',
      reason: 'disk swap',
      details: {
        target: 'cell-b',
        owner: 'team-core',
        deadline: NOW + 60_000,
        overruled: [],
        votes: { r1: 'up' },
      },
    },
  });
});

test('a cell that nobody heard of is not found', () => {
  expect(forced({ home: 'cell-x' })).toEqual({ refused: 'not-found', rule: null });
});

test('a home that is away already stays there, for as long as the operator says', () => {
  const byVerdict = { ...awayRecord('cell-a', 'cell-b', 7), relapses: 2 };
  const byHand = { ...byVerdict, cause: 'operator', deadline: NOW + 9 } as const;
  const drained = { ...byHand, state: 'drained' } as const;
  for (const record of [byVerdict, byHand, drained]) {
    expect(forced({}, ALL_UP, [record])).toMatchObject({
      record: { ...record, epoch: 8, cause: 'operator', deadline: NOW + 60_000, since: NOW },
      event: { from: record.state, to: record.state, epoch: 8, actor: 'ada', cause: 'operator' },
    });
  }
});

test('no safety rule speaks against longer where everybody is', () => {
  const record = awayRecord('cell-a', 'cell-b', 7);
  expect(forced({}, { 'cell-a': DOWN, 'cell-b': DOWN }, [record])).toMatchObject({
    record: { epoch: 8 },
    event: { details: { overruled: [] } },
  });
});

test.each([null, 'cell-a'])('a home whose neighbour is %s has nowhere to go', (neighbour) => {
  expect(forced({ neighbour })).toEqual({ refused: 'no-neighbour', rule: null });
});

test.each<Record<string, Vote>>([{ 'cell-a': UP, 'cell-b': DOWN }, { 'cell-a': UP }])(
  'a neighbour that is not known to be up is refused, unless overruled by name',
  (votes) => {
    expect(forced({}, votes)).toEqual({ refused: 'target-down', rule: 'target-up' });
    expect(forced({ override: ['target-up'] }, votes)).toMatchObject({
      record: { target: 'cell-b' },
      event: { details: { overruled: ['target-up'] } },
    });
  },
);

test('a drained neighbour is refused, unless overruled by name', () => {
  const drained: HealthRecord = { ...awayRecord('cell-b', 'cell-c', 3), state: 'drained' };
  const refusal = { refused: 'target-drained', rule: 'target-not-drained' };
  expect(forced({ override: ['target-up'] }, ALL_UP, [drained])).toEqual(refusal);
  expect(forced({ override: ['target-not-drained'] }, ALL_UP, [drained])).toHaveProperty('record');
});

test('a neighbour without a synced standby is refused where one is required, unless overruled by name', () => {
  const required = { requiresStandby: true };
  expect(forced(required)).toEqual({ refused: 'no-standby', rule: 'standby-synced' });
  expect(forced({ ...required, override: ['standby-synced'] })).toMatchObject({
    event: { details: { overruled: ['standby-synced'] } },
  });
  expect(forced(required, { ...ALL_UP, 'cell-b': syncedOf('cell-a') })).toHaveProperty('record');
});

test('two cells are never made to stand in for one another', () => {
  const records = [awayRecord('cell-b', 'cell-a', 3)];
  const override = ['target-up', 'target-not-drained'];
  expect(forced({ override }, ALL_UP, records)).toEqual({ refused: 'target-away', rule: null });
});

test('a change keeps what it is not about', () => {
  const record = {
    ...initialRecord('cell-a', 'cell-b'),
    pins: { acme: { cell: 'cell-a', until: 9_000_000_000_000 } },
  };
  expect(forced({}, ALL_UP, [record])).toMatchObject({
    record: { pins: { acme: { cell: 'cell-a', until: 9_000_000_000_000 } }, epoch: 2 },
  });
});

test('words are cut to what an event may hold, and times made whole', () => {
  const wish = { ...WISH, reason: '\u{1F600}'.repeat(300), expiresInMs: -1.5 };
  const { reason, expiresInMs } = boundedWish(wish);
  expect(reason.length).toBeLessThanOrEqual(200);
  expect(reason.isWellFormed()).toBe(true);
  expect(expiresInMs).toBe(0);
});
