// A cell that nobody can trust is a cell that nobody can reach: its tenants fail over; but never all of a fleet's.
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeAuthority, pemFolder } from '../support/certificates.ts';
import { routed } from '../support/routed.ts';
import { nowShows, startTlsCell } from '../support/tls-cell.ts';
import { until } from '../support/wait.ts';

/** Handshakes take their time on a busy machine. */
const PATIENT = { CELL_CONNECT_TIMEOUT_MS: '3000', PROBE_TIMEOUT_MS: '3000' };

test('the tenants of a cell whose certificate ended are served by its neighbour until it has another', async () => {
  const authority = makeAuthority(pemFolder());
  const [sound, over] = [authority.issue('sound'), authority.issue('over', { days: -1 })];
  const [a, b] = [await startTlsCell('cell-a', sound), await startTlsCell('cell-b', sound)];
  const { send, opinionOf, explain, router } = await routed([a, b], {
    CELL_TLS_CA_FILE: authority.certificate,
    ...PATIENT,
  });
  await until('it serves', async () => (await send('acme')).headers['x-cell-id'] === 'cell-a');
  nowShows(a, over);
  for (const socket of a.sockets) socket.destroy();
  await until('the neighbour serves', async () => (await send('acme')).headers['x-cell-id'] === 'cell-b');
  expect(await opinionOf('cell-a')).toBe('down');
  expect(router.logs.find(({ opinion }) => opinion === 'down')).toMatchObject({
    cell: 'cell-a',
    reason: 'certificate expired',
  });
  nowShows(a, sound);
  await until('its tenants are home', async () => (await explain('acme')).cell === 'cell-a');
  expect((await send('acme')).headers['x-cell-id']).toBe('cell-a');
});

test('an authority that trusts no cell at all does not move every home, and its return mends everything', async () => {
  const folder = pemFolder();
  const [right, wrong] = [makeAuthority(folder, 'right'), makeAuthority(folder, 'wrong')];
  const trusted = join(folder, 'trusted.pem');
  const trust = (path: string): void => {
    copyFileSync(path, `${trusted}.new`);
    renameSync(`${trusted}.new`, trusted);
  };
  trust(right.certificate);
  const shown = right.issue('cells');
  const names = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];
  const cells = await Promise.all(names.map((name) => startTlsCell(name, shown)));
  const { send, opinionOf, gauge } = await routed(cells, {
    CELL_TLS_CA_FILE: trusted,
    ...PATIENT,
  });
  const opinions = async (): Promise<Set<string>> => new Set(await Promise.all(names.map(opinionOf)));
  await until('all are up', async () => [...(await opinions())].join(' ') === 'up');
  trust(wrong.certificate);
  await until('all are down', async () => [...(await opinions())].join(' ') === 'down');
  // One that is found dead before its neighbour is goes there; from then on nobody carries its load.
  const [held, moved] = ['cellgate_failover_held', 'cellgate_home_state'] as const;
  const counts = async (): Promise<[number, number]> => [
    await gauge(held),
    await gauge(moved, { state: 'failed-over' }),
  ];
  await until('each is moved or held back', async () => {
    const [heldBack, failedOver] = await counts();
    return heldBack + failedOver === names.length;
  });
  expect(await gauge(held)).toBeGreaterThanOrEqual(1);
  expect((await send('bolt')).status).toBeGreaterThanOrEqual(500);
  trust(right.certificate);
  await until('all are up again', async () => [...(await opinions())].join(' ') === 'up');
  for (const tenant of ['acme', 'bolt'])
    await until('it is served', async () => (await send(tenant)).status === 200);
  await until('all are home', async () => (await gauge('cellgate_home_state', { state: 'serving' })) === 4);
});
