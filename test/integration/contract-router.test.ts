// Two services on the contract plugin behind a real router: rules reach them, and a handover passes the position on.
import { expect, onTestFinished, test } from 'vitest';
import { startService } from '../support/contract-service.ts';
import { drain, WITH_OPERATOR } from '../support/operator.ts';
import { routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

test('a router hands the tenants of one service over to the other, with its position', async () => {
  const applied: string[] = [];
  const [a, b] = await Promise.all([
    startService({ cell: 'cell-a', position: async () => 'as-far-as-this' }),
    startService({ cell: 'cell-b', applied: async (_rule, position) => void applied.push(position) }),
  ]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const cells = [
    { id: 'cell-a', origin: a.url },
    { id: 'cell-b', origin: b.url },
  ];
  const { router, send } = await routed(cells, { ...WITH_OPERATOR, PROBE_INTERVAL_MS: '50', RISE: '2' });
  const whose = async () => JSON.parse((await send('acme', { path: '/whose' })).body) as unknown;
  await until('both have their rules', async () => {
    const known = await Promise.all([a.health(), b.health()]);
    return known.every(({ epochs }) => Object.keys(epochs as object).length === 2);
  });
  expect(await whose()).toEqual({ tenant: 'acme', home: 'cell-a', role: 'home', epoch: 1 });
  expect((await drain(router, 'cell-a', 100)).status).toBe(200);
  expect(await whose()).toEqual({ tenant: 'acme', home: 'cell-a', role: 'guest', epoch: 3 });
  expect(applied).toEqual(['as-far-as-this']);
});
