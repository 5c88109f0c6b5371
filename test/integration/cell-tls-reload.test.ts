// Files of TLS towards the cells that change while a router runs: no request is dropped, and no connection outlives its trust.
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { makeAuthority, pemFolder } from '../support/certificates.ts';
import { codeOf, routed, type Reply, type Routed } from '../support/routed.ts';
import { nowShows, startTlsCell } from '../support/tls-cell.ts';
import { until } from '../support/wait.ts';

/** Handshakes take their time on a busy machine. */
const PATIENT = { CELL_CONNECT_TIMEOUT_MS: '10000', PROBE_TIMEOUT_MS: '10000' };

/** Each failure is met on the request path: no cell is condemned meanwhile, and nothing waits for that. */
const UNDECIDED = { FALL: '100', HOLD_MAX: '0', ...PATIENT };
const CLIENTS = 4;

/** Files are replaced as a whole, as whoever renews certificates does it. */
function replace(path: string, ...contents: string[]): void {
  writeFileSync(`${path}.new`, contents.map((from) => readFileSync(from, 'utf8')).join(''));
  renameSync(`${path}.new`, path);
}

/** Asks on and on; `end` answers what came of it. */
function load(send: Routed['send']): { end: () => Promise<Reply[]>; replies: Reply[] } {
  const replies: Reply[] = [];
  const going = new AbortController();
  const client = async (_: unknown, index: number): Promise<void> => {
    const method = index % 2 === 0 ? 'GET' : 'POST';
    while (!going.signal.aborted)
      replies.push(await send('acme', { method, body: method === 'POST' ? 'tea' : '' }));
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  const end = async (): Promise<Reply[]> => {
    going.abort();
    await clients;
    return replies;
  };
  onTestFinished(async () => void (await end()));
  return { end, replies };
}

async function loaded({ router }: Routed, times: number): Promise<void> {
  await until('the files are loaded', () => {
    return router.logs.filter(({ msg }) => msg === 'PEM files loaded').length === times;
  });
}

test('an authority is exchanged under load: each old connection is left, and nothing is dropped', async () => {
  const folder = pemFolder();
  const [first, second] = [makeAuthority(folder, 'first'), makeAuthority(folder, 'second')];
  const trusted = join(folder, 'trusted.pem');
  replace(trusted, first.certificate);
  const cell = await startTlsCell('cell-a', first.issue('one'));
  const inRouter = await routed([cell], { CELL_TLS_CA_FILE: trusted, ...UNDECIDED });
  const { end, replies } = load(inRouter.send);
  await until('requests are served', () => replies.length > 20);
  const old = [...cell.sockets];

  replace(trusted, first.certificate, second.certificate);
  await loaded(inRouter, 1);
  nowShows(cell, second.issue('two'));
  replace(trusted, second.certificate);
  await loaded(inRouter, 2);
  await until('no old connection is kept', () => old.every((socket) => socket.destroyed));
  const served = replies.length;
  await until('requests go on', () => replies.length > served + 20);
  expect(new Set((await end()).map(({ status }) => status))).toEqual(new Set([200]));
  expect(await inRouter.gauge('cellgate_cell_tls_failures_total')).toBe(0);
});

test('what is under way ends where it is, and nothing else goes to a cell whose authority is gone', async () => {
  const folder = pemFolder();
  const [first, second] = [makeAuthority(folder, 'first'), makeAuthority(folder, 'second')];
  const trusted = join(folder, 'trusted.pem');
  replace(trusted, first.certificate);
  const cell = await startTlsCell('cell-a', first.issue('one'));
  let open: ServerResponse | undefined;
  cell.scripts.set('/slow', (_, response) => (open = response));
  const inRouter = await routed([cell], { CELL_TLS_CA_FILE: trusted, ...UNDECIDED });
  const slow = inRouter.send('acme', { path: '/slow' });
  const response = await until('it is under way', () => open);
  // This one leaves a connection behind, which the next would take.
  expect((await inRouter.send('acme')).status).toBe(200);
  replace(trusted, second.certificate);
  await loaded(inRouter, 1);
  const refused = await inRouter.send('acme');
  expect([refused.status, codeOf(refused)]).toEqual([502, 'cell-connection-failed']);
  response.end('served');
  expect(await slow).toMatchObject({ status: 200, body: 'served' });
  replace(trusted, first.certificate);
  await until('it is trusted again', async () => (await inRouter.send('acme')).status === 200);
});

test('a client certificate is exchanged under load, its two files one after the other', async () => {
  const folder = pemFolder();
  const [authority, clients] = [makeAuthority(folder), makeAuthority(folder, 'clients')];
  const [first, second] = ['first', 'second'].map((name) => clients.issue(name, { names: '' }));
  if (first === undefined || second === undefined) throw new Error('no certificates');
  const own = { certificate: join(folder, 'own.pem'), key: join(folder, 'own.key') };
  replace(own.certificate, first.certificate);
  replace(own.key, first.key);
  const shown: string[] = [];
  const cell = await startTlsCell('cell-a', authority.issue('cell-a'), {
    clients: clients.certificate,
    handler: (request, response) => {
      shown.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      request.resume().on('end', () => response.end('served'));
    },
  });
  const inRouter = await routed([cell], {
    CELL_TLS_CA_FILE: authority.certificate,
    CELL_TLS_CERT_FILE: own.certificate,
    CELL_TLS_KEY_FILE: own.key,
    ...UNDECIDED,
  });
  const { end, replies } = load(inRouter.send);
  await until('the first is shown', () => shown.includes('first'));
  replace(own.certificate, second.certificate);
  await until('they do not fit', () =>
    inRouter.router.logs.some(({ msg }) => msg === 'PEM files refused, the old ones go on'),
  );
  expect(await inRouter.gauge('cellgate_cell_tls_files_refused')).toBe(1);
  replace(own.key, second.key);
  await until('the second is shown', () => shown.at(-1) === 'second');
  const served = replies.length;
  await until('requests go on', () => replies.length > served + 20);
  expect(new Set((await end()).map(({ status }) => status))).toEqual(new Set([200]));
  expect(shown.lastIndexOf('first')).toBeLessThan(shown.lastIndexOf('second'));
  expect(await inRouter.gauge('cellgate_cell_tls_files_refused')).toBe(0);
});

test('a file that is half written changes nothing, and is taken once it is whole', async () => {
  const folder = pemFolder();
  const [first, second] = [makeAuthority(folder, 'first'), makeAuthority(folder, 'second')];
  const trusted = join(folder, 'trusted.pem');
  copyFileSync(first.certificate, trusted);
  const cell = await startTlsCell('cell-a', first.issue('one'));
  const inRouter = await routed([cell], { CELL_TLS_CA_FILE: trusted, ...UNDECIDED });
  const whole = `${readFileSync(first.certificate, 'utf8')}${readFileSync(second.certificate, 'utf8')}`;
  writeFileSync(trusted, whole.slice(0, whole.length - 100));
  const refused = async (): Promise<number> => await inRouter.gauge('cellgate_cell_tls_files_refused');
  await until('it is refused', async () => (await refused()) === 1);
  nowShows(cell, first.issue('three'));
  for (const socket of cell.sockets) socket.destroy();
  await until('new connections are made as before', async () => (await inRouter.send('acme')).status === 200);
  writeFileSync(trusted, whole);
  await until('it is taken', async () => (await refused()) === 0);
  nowShows(cell, second.issue('two'));
  for (const socket of cell.sockets) socket.destroy();
  await until('both are trusted', async () => (await inRouter.send('acme')).status === 200);
});
