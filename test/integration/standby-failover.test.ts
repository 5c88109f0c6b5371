// A home dies while its neighbour's standby of it is not synced: a real router, fenced cells, and the store in process.
import { expect, onTestFinished, test } from 'vitest';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { codeOf, routed, type Routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

type Row = { id: string; standby: unknown };

async function pair(): Promise<{ setting: Routed; a: FencedCell; b: FencedCell }> {
  const [a, b] = await Promise.all([startFencedCell('cell-a'), startFencedCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  standbyAt(b, 'copying');
  const fleet = { failover: { requires: 'standby' } };
  return { setting: await routed([a, b], {}, { fleet }), a, b };
}

function standbyAt(cell: FencedCell, state: string): void {
  cell.say({ standbys: { 'cell-a': { state, lagBytes: 4_096, lagSeconds: 2 } } });
}

test('it is held and its tenants refused while that is copying, and fails over once it is synced', async () => {
  const { setting, a, b } = await pair();
  const { router, send, gauge, explain } = setting;
  expect((await send('acme')).status).toBe(200);
  await a.die();
  const held = { home: 'cell-a', why: 'no-standby' };
  await until('it is held', async () => (await gauge('cellgate_failover_held', held)) === 1);
  const refused = await send('acme', { method: 'POST', body: 'an order' });
  expect([refused.status, codeOf(refused)]).toEqual([503, 'cell-unavailable']);
  expect(refused.body).toContain('no synced standby');
  const { cells } = (await (await fetch(`${router.admin}/v1/cells`)).json()) as { cells: Row[] };
  expect(cells.map(({ standby }) => standby)).toEqual([
    { state: 'copying', lagBytes: 4_096, lagSeconds: 2 },
    null,
  ]);
  expect(await gauge('cellgate_standby_state', { home: 'cell-a', state: 'copying' })).toBe(1);
  expect(await gauge('cellgate_standby_lag_seconds', { home: 'cell-a' })).toBe(2);

  standbyAt(b, 'synced');
  await until('it has failed over', async () => (await explain('acme')).cell === 'cell-b');
  expect(await send('acme')).toMatchObject({ status: 200, headers: { 'x-cell-id': 'cell-b' } });
});
