// What `cellgate plan` prints, from answers as a router gives them.
import { expect, test } from 'vitest';
import { dryRunText, planText, type DryRun, type Plan } from '../../../../infra/commands/plan-text.ts';

const LOAD = { rps: 12.5, concurrency: 3, tunnels: 0 };
const PLAN: Plan = {
  routers: { told: 1, live: 2 },
  cells: [
    { cell: 'cell-a', zone: 'az-1', neighbour: 'cell-b', load: LOAD, percent: 125, percentByWeights: 112.5 },
    { cell: 'cell-b', zone: null, neighbour: null, load: null, percent: null, percentByWeights: null },
  ],
  violations: [
    { cell: 'cell-a', rule: 'over-capacity', detail: 'cell-b would need 125 % of its capacity' },
    { cell: null, rule: 'load-unknown', detail: '1 of 2 routers told their load' },
  ],
};
const RUN: DryRun = {
  ...PLAN,
  violations: [],
  digest: { before: 'aaaa', after: 'bbbb' },
  added: [],
  removed: ['cell-b'],
  movedBuckets: 0,
  moves: [],
  pins: [],
  neighbours: [],
  loads: [],
};

test('each cell is a line, and each violation', () => {
  expect(planText(PLAN).split('\n')).toEqual([
    'cell    zone  load                         neighbour  if the cell dies  by weights',
    'cell-a  az-1  12.5/s, 3 inside, 0 tunnels  cell-b     125 %             112.5 %',
    'cell-b  -     unknown                      -          -                 -',
    '',
    'load told by 1 of 2 routers',
    '',
    'violation of  rule           detail',
    'cell-a        over-capacity  cell-b would need 125 % of its capacity',
    '-             load-unknown   1 of 2 routers told their load',
  ]);
});

test('a file that changes nothing says so, without empty tables', () => {
  const text = dryRunText({ ...RUN, digest: { before: 'aaaa', after: 'aaaa' }, removed: [] });
  expect(text.split('\n').slice(0, 4)).toEqual([
    'digest aaaa: the file says what is in force',
    '0 of 65536 buckets move',
    '',
    'once all has moved:',
  ]);
});

test('a new file says what it moves, when, and which neighbours wait', () => {
  const text = dryRunText({
    ...RUN,
    movedBuckets: 7,
    moves: [{ from: 'cell-a', to: 'cell-c', at: 'cut-over', buckets: 7 }],
    pins: [{ tenant: 'acme', from: 'cell-a', to: 'cell-c', at: 'activation' }],
    neighbours: [{ cell: 'cell-a', from: 'cell-b', to: 'cell-c', waits: true }],
    loads: [{ cell: 'cell-a', before: LOAD, after: null, percentBefore: 1.25, percentAfter: null }],
  });
  expect(text).toContain('digest aaaa → bbbb\n7 of 65536 buckets move\nleaving: cell-b\n');
  expect(text).toMatch(/^cell-a +cell-c +7 +at its cut-over$/m);
  expect(text).toMatch(/^acme +cell-a +cell-c +at activation$/m);
  expect(text).toMatch(/^cell-a +cell-b +cell-c +once it is serving$/m);
  expect(text).toMatch(/^cell-a +12\.5\/s, 3 inside, 0 tunnels +1\.25 % +unknown +-$/m);
});
