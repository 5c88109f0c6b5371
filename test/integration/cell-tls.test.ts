// Cells behind HTTPS: requests, probes, rules and tunnels go there, by the certificates that the router was told to trust.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { makeAuthority, pemFolder } from '../support/certificates.ts';
import { startHosts } from '../support/hosts.ts';
import { ask, head } from '../support/raw-http.ts';
import { routed } from '../support/routed.ts';
import { fleetOf, runRouterToEnd } from '../support/router.ts';
import { startTlsCell } from '../support/tls-cell.ts';
import { until } from '../support/wait.ts';

test('requests, probes and rules go over TLS, and the certificates’ ends are told', async () => {
  const authority = makeAuthority(pemFolder());
  const cell = await startTlsCell('cell-a', authority.issue('cell-a', { days: 1 }));
  Object.assign(cell.health.body as object, { epochs: {} });
  const { send, opinionOf, gauge } = await routed([cell], { CELL_TLS_CA_FILE: authority.certificate });
  const reply = await send('acme', { method: 'POST', path: '/orders?x=1', body: 'tea' });
  expect(reply.status).toBe(200);
  expect(JSON.parse(reply.body)).toMatchObject({ method: 'POST', url: '/orders?x=1', body: 'tea' });
  await until('it is up', async () => (await opinionOf('cell-a')) === 'up');
  await until('it has a rule', () => cell.seen.some(({ url }) => url === '/.cellgate/serving'));
  const left = async (labels: Record<string, string>): Promise<number> =>
    await gauge('cellgate_certificate_expiry_seconds', labels);
  const [peer, ca] = [await left({ use: 'cell-peer', cell: 'cell-a' }), await left({ use: 'cell-ca' })];
  const day = 86_400;
  expect([peer > 0, peer <= day, ca > day, ca <= 2 * day]).toEqual([true, true, true, true]);
  expect(await gauge('cellgate_cell_tls_failures_total')).toBe(0);
});

test('a cell is asked for by its origin’s name, whatever host the client names', async () => {
  const name = 'cell-a.cells.test';
  const authority = makeAuthority(pemFolder());
  const cell = await startTlsCell('cell-a', authority.issue('cell-a', { names: `DNS:${name}` }));
  const asked: unknown[] = [];
  cell.server.on('secureConnection', ({ servername }: TLSSocket) => asked.push(servername));
  const hosts = await startHosts({ [name]: '127.0.0.1' });
  const named = { id: 'cell-a', origin: `https://${name}:${cell.port}` };
  const { router } = await routed([named], { CELL_TLS_CA_FILE: authority.certificate, ...hosts.env });
  for (const host of ['api.example.com', 'other.example.com', '127.0.0.1']) {
    const request = head('GET /orders').replace(/host: [^\r]*/i, `Host: ${host}`);
    expect((await ask(router.port, request)).status).toBe(200);
    expect(cell.seen.at(-1)?.headers.host).toBe(host);
  }
  expect(new Set(asked)).toEqual(new Set([name]));
});

test('without a file the authorities of the system count', async () => {
  const authority = makeAuthority(pemFolder());
  const cell = await startTlsCell('cell-a', authority.issue('cell-a'));
  const { send } = await routed([cell], { SSL_CERT_FILE: authority.certificate, SSL_CERT_DIR: '/nowhere' });
  expect((await send('acme')).status).toBe(200);
});

test('a cell that asks for a client certificate is shown it', async () => {
  const folder = pemFolder();
  const [authority, clients] = [makeAuthority(folder), makeAuthority(folder, 'clients')];
  const router = clients.issue('router', { names: '', days: 1 });
  const shown: string[] = [];
  const cell = await startTlsCell('cell-a', authority.issue('cell-a'), {
    clients: clients.certificate,
    handler: ({ socket }, response) => {
      shown.push(String((socket as TLSSocket).getPeerCertificate().subject.CN));
      response.end('served');
    },
  });
  const { send, gauge } = await routed([cell], {
    CELL_TLS_CA_FILE: authority.certificate,
    CELL_TLS_CERT_FILE: router.certificate,
    CELL_TLS_KEY_FILE: router.key,
  });
  expect(await send('acme')).toMatchObject({ status: 200, body: 'served' });
  expect(shown).toEqual(['router']);
  const left = await gauge('cellgate_certificate_expiry_seconds', { use: 'cell-client' });
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(86_400);
});

test('a WebSocket passes over TLS', async () => {
  const authority = makeAuthority(pemFolder());
  const websockets = new WebSocketServer({ noServer: true });
  onTestFinished(() => websockets.close());
  websockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const onUpgrade = (request: IncomingMessage, socket: Duplex, early: Buffer): void =>
    websockets.handleUpgrade(request, socket, early, (ws) => websockets.emit('connection', ws));
  const cell = await startTlsCell('cell-a', authority.issue('cell-a'), { onUpgrade });
  const { router } = await routed([cell], { CELL_TLS_CA_FILE: authority.certificate });
  const client = new WebSocket(`ws://127.0.0.1:${router.port}/`, { headers: { 'x-tenant-id': 'acme' } });
  await once(client, 'open');
  const long = 'tea'.repeat(100_000);
  client.send(long);
  const [echo] = (await once(client, 'message')) as [Buffer];
  expect(echo.toString()).toBe(long);
  client.close();
  await once(client, 'close');
});

test('files that can not be used end the start, each by its name', async () => {
  const authority = makeAuthority(pemFolder());
  const [one, other] = [authority.issue('one'), authority.issue('other')];
  const fleet = fleetOf({ 'cell-a': { origin: 'https://127.0.0.1:1' } });
  expect(
    await runRouterToEnd(fleet, {
      CELL_TLS_CA_FILE: one.key,
      CELL_TLS_CERT_FILE: one.certificate,
      CELL_TLS_KEY_FILE: other.key,
    }),
  ).toEqual({
    code: 2,
    stderr:
      'CELL_TLS_CA_FILE: holds no certificate (allowed: PEM)\n' +
      'CELL_TLS_KEY_FILE: does not belong to the certificate of CELL_TLS_CERT_FILE\n',
  });
  expect(
    await runRouterToEnd(fleet, {
      CELL_TLS_CA_FILE: '/nowhere/ca.pem',
      CELL_TLS_CERT_FILE: '/nowhere/cert.pem',
      CELL_TLS_KEY_FILE: one.key,
    }),
  ).toEqual({
    code: 2,
    stderr: 'CELL_TLS_CA_FILE: can not be read (ENOENT)\nCELL_TLS_CERT_FILE: can not be read (ENOENT)\n',
  });
});
