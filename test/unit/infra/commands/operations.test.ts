// What the changing commands take, and what they print of the answers of a router.
import { expect, test } from 'vitest';
import { cellsText } from '../../../../infra/commands/cells.ts';
import { eventText, type EventTold } from '../../../../infra/commands/events-text.ts';
import {
  readPause,
  readPercent,
  readSeconds,
  readSteps,
  stagesFrom,
  stagesOf,
} from '../../../../infra/commands/operation-options.ts';
import { pinText, shareText, type ChangedRecord } from '../../../../infra/commands/operations-text.ts';

const RECORD: ChangedRecord = {
  home: 'cell-a',
  neighbour: 'cell-b',
  state: 'serving',
  share: 50,
  epoch: 7,
  deadline: '2026-01-02T03:04:05.000Z',
  pins: {},
};

const EVENT: EventTold = {
  id: '1-0',
  at: '2026-01-02T03:04:05.000Z',
  cell: 'cell-a',
  from: 'serving',
  to: 'serving',
  epoch: 7,
  cause: 'operator',
  actor: 'anna',
  reason: 'power works',
  details: null,
};

test.each([
  ['90', 90],
  ['45s', 45],
  ['30m', 1_800],
  ['2h', 7_200],
  ['7d', 604_800],
])('%s is %d seconds', (text, seconds) => {
  expect(readSeconds(text)).toBe(seconds);
});

test.each(['', '0', '0m', '8d', '604801', '1.5h', '-1', '1h30m', '2 h', '2H', '9999999999'])(
  'a time of "%s" is refused',
  (text) => {
    expect(() => readSeconds(text)).toThrow(/^Allowed: 45s, 30m, 2h, 7d, or seconds; a week at most\.$/);
  },
);

test('a pause may be none', () => {
  expect([readPause('0'), readPause('2m')]).toEqual([0, 120]);
});

test.each(['0', '101', '1.5', 'x', '', '1e1'])('a share of "%s" is refused', (text) => {
  expect(() => readPercent(text)).toThrow('Allowed: whole, 1–100.');
});

test.each(['', '10,', '50,10', '10,10', '0,10', '10;50'])('steps of "%s" are refused', (text) => {
  expect(() => readSteps(text)).toThrow();
});

test('a drain goes through its steps to the share that is meant', () => {
  expect(stagesOf({ percent: 50 })).toEqual([50]);
  expect(stagesOf({ steps: [10, 50] })).toEqual([10, 50]);
  expect(stagesOf({ percent: 100, steps: [10, 50, 100] })).toEqual([10, 50, 100]);
  expect(stagesOf({ percent: 80, steps: [10, 50] })).toEqual([10, 50, 80]);
});

test('a drain without a share, or with steps beyond it, is bad input', () => {
  for (const options of [{}, { percent: 40, steps: [10, 50] }]) {
    expect(() => stagesOf(options)).toThrow(expect.objectContaining({ exitCode: 2 }));
  }
});

test.each([
  [0, 'open', [10, 25, 50]],
  [25, 'open', [50]],
  [30, 'open', [50]],
  [50, 'open', [50]],
  [60, 'open', [10, 25, 50]],
  [100, 'open', [10, 25, 50]],
])('with %d %% away already, %s, a drain to 10, 25, 50 goes through %j', (share, phase, left) => {
  expect(stagesFrom([10, 25, 50], { share, phase })).toEqual(left);
});

test('a share that is only being handed over is asked for again: it may yet be undone', () => {
  expect(stagesFrom([10, 25, 50], { share: 25, phase: 'closing' })).toEqual([25, 50]);
});

test('a share is told with where the tenants are, and until when', () => {
  expect(shareText(RECORD)).toBe(
    'cell-a: 50 % of its tenants are away at cell-b, until 2026-01-02T03:04:05.000Z (epoch 7)',
  );
  expect(shareText({ ...RECORD, share: 0, deadline: null })).toBe(
    'cell-a: serves its tenants itself (epoch 7)',
  );
});

test('a pin is told by its tenant', () => {
  const pins = { acme: { cell: 'cell-b', until: '2026-01-02T03:04:05.000Z' } };
  expect(pinText({ ...RECORD, pins }, 'acme')).toBe(
    'acme: pinned to cell-b, until 2026-01-02T03:04:05.000Z (home cell-a, epoch 7)',
  );
  expect(pinText(RECORD, 'toString')).toBe('toString: not pinned (home cell-a, epoch 7)');
});

test.each<[Partial<EventTold>, string]>([
  [
    { to: 'failed-over', cause: 'unreachable', actor: 'quorum' },
    'serving → failed-over; unreachable, quorum',
  ],
  [{ details: { held: 'budget' } }, 'serving, held back (budget); operator, anna'],
  [{ details: { phase: 'closing', share: 50 } }, 'serving, closing, 50 % away; operator, anna'],
  [
    { details: { phase: 'undone', share: 0, waitingFor: ['router-2: no answer', 'cells'] } },
    'serving, undone, 0 % away, waited for router-2: no answer · cells; operator, anna',
  ],
  [
    { details: { phase: 'open', share: 0, pin: { tenant: 'acme', cell: null } } },
    'serving, open, pin of acme: none; operator, anna',
  ],
  [
    { details: { phase: 'closing', share: 0, cutOver: { to: 'cell-c', buckets: 12, tenants: 0 } } },
    'serving, closing, cut-over to cell-c: 12 buckets, 0 tenants; operator, anna',
  ],
  [
    { details: { cutOver: { from: 'cell-c', buckets: 0, tenants: 1 } } },
    'serving, cut-over from cell-c: 0 buckets, 1 tenants; operator, anna',
  ],
])('an event with %j is one line', (more, what) => {
  expect(eventText({ ...EVENT, ...more })).toBe(
    `2026-01-02T03:04:05.000Z cell-a epoch 7: ${what}: power works`,
  );
});

test('whatever a reason holds, an event is one line that steers no terminal', () => {
  expect(eventText({ ...EVENT, reason: 'a\n\u001B[2J' })).toMatch(/: a\\u\{a\}\\u\{1b\}\[2J$/);
});

test('a cell that is partly away, or being handed over, shows who serves', () => {
  const cell = {
    id: 'cell-a',
    origin: 'http://127.0.0.1:1',
    zone: null,
    neighbour: 'cell-b',
    state: 'serving',
    phase: 'closing',
    target: 'cell-b',
    epoch: 7,
    share: 10,
    since: null,
    cause: null,
    buckets: 65_536,
    version: null,
  };
  expect(cellsText([cell])).toMatch(/^cell-a +serving, closing +cell-a 90 %, cell-b 10 % +cell-b /m);
  expect(cellsText([{ ...cell, phase: 'open', share: 100, state: 'drained' }])).toMatch(
    /^cell-a +drained +cell-b +cell-b /m,
  );
});
