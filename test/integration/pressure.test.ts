// A cell with too much to do is spared at the router; its load is not moved onto its neighbour.
import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { codeOf, routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

async function stubs(): Promise<[StubCell, StubCell]> {
  const [a, b] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

function says({ id, health }: StubCell, status: 'ok' | 'degraded'): void {
  health.body = { cell: id, version: '1.0.0', status, checks: {} };
}

const LIMIT = 'cellgate_lane_limit_requests';
const OF_A = { cell: 'cell-a' };
const CAPACITY = { concurrency: 64, rps: 100, tunnels: 10 };
/** Two tenants at home in the first cell. */
const PINS = { fleet: { pins: { acme: 'cell-a', core: 'cell-a', bolt: 'cell-b' } } };

test.each([503, 429])(
  'a cell that answers %i to several tenants is sent less, and is not failed over',
  async (status) => {
    const [a, b] = await stubs();
    const { send, gauge, explain, opinionOf } = await routed([a, b], {}, { capacity: CAPACITY, ...PINS });
    a.scripts.set('/busy', (request, response) => {
      request.resume();
      response.writeHead(status).end('busy');
    });
    await until('less goes in', async () => {
      const replies = await Promise.all(
        Array.from(
          { length: 30 },
          async (_, i) => await send(i % 2 === 0 ? 'acme' : 'core', { path: '/busy' }),
        ),
      );
      expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([status]));
      return (await gauge(LIMIT, OF_A)) < 64;
    });
    expect([await opinionOf('cell-a'), await explain('acme'), b.seen]).toMatchObject([
      'up',
      { cell: 'cell-a', epoch: 1 },
      [],
    ]);
    await until('the lane has grown back', async () => (await gauge(LIMIT, OF_A)) === 64);
  },
);

test('one tenant’s 503s take nothing from the others', async () => {
  const [a, b] = await stubs();
  const { send, gauge } = await routed([a, b], {}, { capacity: CAPACITY, ...PINS });
  a.scripts.set('/busy', (_, response) => response.writeHead(503).end());
  await Promise.all(Array.from({ length: 60 }, async () => await send('acme', { path: '/busy' })));
  let probes = 0;
  a.server.on('request', ({ url }) => (probes += url === '/health' ? 1 : 0));
  await until('the cell was looked at', () => probes >= 3);
  expect(await gauge(LIMIT, OF_A)).toBe(64);
});

test('a cell that says it is degraded is sent less, until it says it is not', async () => {
  const [a, b] = await stubs();
  const { gauge, explain, send } = await routed([a, b], {}, { capacity: CAPACITY });
  says(a, 'degraded');
  await until('only the smallest part is left', async () => (await gauge(LIMIT, OF_A)) === 4);
  expect([await explain('acme'), (await send('acme')).status]).toMatchObject([
    { cell: 'cell-a', epoch: 1 },
    200,
  ]);
  says(a, 'ok');
  await until('the lane has grown back', async () => (await gauge(LIMIT, OF_A)) === 64);
});

test('a neighbour under pressure sheds its guests first', async () => {
  const [a, b] = await stubs();
  const { send, explain, gauge } = await routed([a, b], {}, { capacity: CAPACITY });
  await a.die();
  await until('the neighbour serves', async () => (await explain('acme')).cell === 'cell-b');
  const inside: ServerResponse[] = [];
  b.scripts.set('/slow', (request, response) => {
    request.resume();
    inside.push(response);
  });
  says(b, 'degraded');
  await until('less goes in', async () => (await gauge(LIMIT, { cell: 'cell-b' })) === 4);
  const guest = send('acme', { path: '/slow' });
  await until('one guest is inside', () => inside.length === 1);
  const refused = await send('acme');
  expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([
    503,
    'cell-overloaded',
    '1',
  ]);
  expect((await send('bolt')).status).toBe(200);
  for (const response of inside) response.end('done');
  expect((await guest).status).toBe(200);
});
