// Which cut-overs the admin port refuses, and why.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import {
  fileOf,
  FIRST,
  JOINING,
  openMoving,
  startMoving,
  type MovingFleet,
} from '../support/moving-fleet.ts';
import { startRedis } from '../support/redis.ts';
import { startVoter } from '../support/routed.ts';
import { until } from '../support/wait.ts';

let cells: FencedCell[];
let shared: MovingFleet;

beforeAll(async () => {
  cells = await Promise.all([...FIRST.add, ...JOINING.add].map((id) => startFencedCell(id)));
  shared = await openMoving(fileOf(cells, [FIRST, JOINING]));
});

afterAll(async () => {
  await shared.stop();
  await Promise.all(cells.map((cell) => cell.close()));
});

test('without a token nothing is even read', async () => {
  const answer = await fetch(`${shared.router.admin}/v1/buckets/cut-over`, { method: 'POST', body: '{' });
  expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'admin-unauthorized' }]);
});

test('what is mandatory is named, all of it at once', async () => {
  const { body } = await shared.ask({ reason: undefined });
  for (const name of ['reason', 'to', 'buckets']) expect(body['title']).toContain(`${name}: `);
});

test.each([
  [{ buckets: [[0, 9]] }, 'to: '],
  [{ to: 'cell-d' }, 'buckets: missing'],
  [{ to: 'cell-d', buckets: [[0, 9]], tenants: ['acme'] }, 'buckets: missing, or beside tenants'],
  [{ to: 'cell-d', buckets: [] }, 'buckets: empty'],
  [{ to: 'cell-d', buckets: [[9, 0]] }, 'buckets.0: not a range'],
  [{ to: 'cell-d', buckets: [[0, 65_536]] }, 'buckets.0.1: not a bucket'],
  [{ to: 'cell-d', tenants: ['a b'] }, 'tenants.0: not a tenant ID'],
  [{ to: 'cell-d', tenants: ['acme'] }, 'acme: the fleet file has no pin to cell-d that is not settled.'],
  [{ to: 'cell-z', buckets: [[0, 9]] }, 'cell-z is no cell of the fleet.'],
  [{ to: 'cell-d', from: 'cell-z', buckets: [[0, 9]] }, 'cell-z is no cell of the fleet.'],
  [{ to: 'cell-d', buckets: [[0, 9]], expiresIn: 9 }, 'expiresIn: '],
])('%j is a 400 that says what is wrong', async (wish, title) => {
  const { status, body } = await shared.ask(wish);
  expect([status, body['code'], body['title']]).toEqual([
    400,
    'admin-invalid',
    expect.stringContaining(title),
  ]);
});

test('while live routers have different files nothing is cut over', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  await startVoter(redis.url, 'files');
  const { ask } = await startMoving(fileOf(cells, [FIRST, JOINING]), {
    REDIS_URL: redis.url,
    REDIS_PREFIX: 'files',
  });
  await until('the other one is known', async () => {
    const { status, body } = await ask({ buckets: [[0, 9]], to: 'cell-d' });
    return status === 409 && body['rule'] === 'other-fleets';
  });
});
