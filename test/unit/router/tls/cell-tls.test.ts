// How an origin is connected to: in the clear, or by the name that its certificate must hold; and whose metrics there are.
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Cell } from '../../../../router/fleet/fleet.ts';
import { CellTls } from '../../../../router/tls/cell-tls.ts';
import { Expiries } from '../../../../router/tls/expiries.ts';
import { makeAuthority, pemFolder, type Wanted } from '../../../support/certificates.ts';
import { showing } from '../../../support/tls-cell.ts';

const DAY_MS = 86_400_000;

function cellsAt(origins: Record<string, string>): Map<string, Cell> {
  const rest = { zone: null, capacity: { concurrency: 1, rps: 1, tunnels: 1 }, tags: {} };
  return new Map(Object.entries(origins).map(([id, origin]) => [id, { id, origin, ...rest }]));
}

type Setting = { tls: CellTls; expiries: Expiries; origin: string; dial: () => Promise<TLSSocket> };

/** A server that shows what is wanted, and TLS that trusts its authority. `dial` answers once it knows how that went. */
async function setting(wanted: Wanted = {}): Promise<Setting> {
  const authority = makeAuthority(pemFolder());
  const server = createServer(showing(authority.issue('cell', wanted)), (socket) => {
    socket.on('error', () => undefined).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = `https://127.0.0.1:${port}`;
  const expiries = new Expiries();
  const tls = new CellTls({ CELL_TLS_CA_FILE: authority.certificate }, expiries, pino({ level: 'silent' }));
  const sockets: TLSSocket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const dial = async (): Promise<TLSSocket> => {
    const socket = connect({ ...tls.optionsFor(origin), host: '127.0.0.1', port });
    sockets.push(socket);
    tls.observe(origin, socket);
    await new Promise<void>((resolve) => {
      socket.once('secureConnect', resolve).once('error', () => resolve());
    });
    return socket;
  };
  return { tls, expiries, origin, dial };
}

test('a plain origin is none of its business', async () => {
  const { tls } = await setting();
  expect(tls.optionsFor('http://cell-a.example.com:4101')).toBeNull();
});

test('a name is asked for as it stands in certificates, an address not at all', async () => {
  const { tls } = await setting();
  const asked = (origin: string): unknown => tls.optionsFor(origin)?.servername;
  expect(asked('https://cell-a.example.com.:4101')).toBe('cell-a.example.com');
  expect(asked('https://127.0.0.1:4101')).toBe('');
  expect(asked('https://[::1]:4101')).toBe('');
});

test('a connection that was trusted counts as no failure, and tells when its certificate ends', async () => {
  const { tls, expiries, origin, dial } = await setting({ days: 1 });
  tls.setFleet(cellsAt({ 'cell-a': origin }));
  expect((await dial()).authorized).toBe(true);
  expect([...tls.failures()]).toEqual([]);
  const peers = expiries.left().filter(({ use }) => use === 'cell-peer');
  expect(peers).toEqual([{ use: 'cell-peer', cell: 'cell-a', seconds: expect.closeTo(86_400, -2) }]);
});

test('what a cell left behind goes with it, and an origin of no cell is not counted', async () => {
  const { tls, expiries, origin, dial } = await setting({ days: -1 });
  const uses = (): string[] => expiries.left().map(({ use }) => use);
  await dial();
  expect([[...tls.failures()], uses()]).toEqual([[], ['cell-ca']]);
  tls.setFleet(cellsAt({ 'cell-a': origin }));
  await dial();
  await dial();
  expect([...tls.failures()]).toEqual([{ cell: 'cell-a', reason: 'expired', count: 2 }]);
  expect(uses()).toEqual(['cell-ca', 'cell-peer']);
  tls.setFleet(cellsAt({ 'cell-a': 'http://127.0.0.1:1' }));
  expect([[...tls.failures()].length, uses()]).toEqual([1, ['cell-ca']]);
  tls.setFleet(cellsAt({ 'cell-b': origin }));
  expect([...tls.failures()]).toEqual([]);
});

test('connections are made anew once the certificate ends by which they were made', async () => {
  const { tls, origin, dial } = await setting({ days: 1 });
  tls.setFleet(cellsAt({ 'cell-a': origin }));
  let renewals = 0;
  const unfollow = tls.onChange(() => (renewals += 1));
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await dial();
  vi.advanceTimersByTime(DAY_MS / 2);
  expect(renewals).toBe(0);
  vi.advanceTimersByTime(DAY_MS);
  expect(renewals).toBe(1);
  unfollow();
});

test('nobody is told any more who has ended that', async () => {
  const { tls, origin, dial } = await setting({ days: 1 });
  tls.setFleet(cellsAt({ 'cell-a': origin }));
  let [ended, other] = [0, 0];
  tls.onChange(() => (ended += 1))();
  tls.onChange(() => (other += 1));
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await dial();
  vi.advanceTimersByTime(2 * DAY_MS);
  expect([ended, other]).toEqual([0, 1]);
});
