// HTTPS on the public port: HTTP/1.1 over it is what it is without, and the certificate can change under load.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { makeAuthority, pemFolder, type Authority, type Issued } from '../support/certificates.ts';
import { askHttp2, openHttp2, tlsEnv } from '../support/http2.ts';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { ask, head, RawClient } from '../support/raw-http.ts';
import { fleetOf, runRouterToEnd, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'cellgate-https-'));
const websockets = new WebSocketServer({ noServer: true });
let authority: Authority;
let issued: Issued;
let ca: Buffer;
let cell: StubCell;
let router: RunningRouter;

beforeAll(async () => {
  websockets.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  cell = await startStubCell('cell-a', {
    onUpgrade: (upgrade, socket, early) =>
      websockets.handleUpgrade(upgrade, socket, early, (ws) => websockets.emit('connection', ws)),
  });
  authority = makeAuthority(folder);
  issued = authority.issue('first');
  ca = readFileSync(authority.certificate);
  router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), tlsEnv(issued));
});

afterAll(async () => {
  await untilNothingInside(router.admin);
  expect(await router.stop()).toBe(0);
  await cell.close();
  rmSync(folder, { recursive: true });
});

/** A connection whose handshake is done. */
async function shake(options: ConnectionOptions = {}, port = router.port): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

test('a request over HTTP/1.1 reaches its cell, which is told of HTTPS', async () => {
  const client = new RawClient(await shake());
  client.send(head('GET /x'));
  const { headers } = JSON.parse((await client.answer()).body) as { headers: Record<string, string> };
  expect([headers['x-forwarded-proto'], headers['x-forwarded-for']]).toEqual(['https', '127.0.0.1']);
  client.close();
});

test('how long the certificate lives is told', async () => {
  const seconds = sumOf(await metricsOf(router.admin), 'cellgate_certificate_expiry_seconds', {
    use: 'public',
  });
  expect(seconds).toBeGreaterThan(86_400);
  expect(seconds).toBeLessThan(3 * 86_400);
});

test('a connection carries many requests, and bodies in chunks, byte for byte', async () => {
  cell.scripts.set('/echo', (incoming, response) => void incoming.pipe(response));
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  for (let i = 0; i < 5; i += 1) {
    const sent = randomBytes(200_000);
    const outgoing = request(`${router.url}/echo`, {
      agent,
      method: 'POST',
      headers: { 'x-tenant-id': 'acme' },
    });
    outgoing.end(sent);
    const [answer] = await once(outgoing, 'response');
    expect((await buffer(answer)).equals(sent)).toBe(true);
    expect(outgoing.reusedSocket).toBe(i > 0);
  }
  agent.destroy();
});

test('a WebSocket passes through TLS', async () => {
  const socket = new WebSocket(router.url.replace('https', 'wss'), {
    ca,
    headers: { 'x-tenant-id': 'acme' },
  });
  await once(socket, 'open');
  const sent = randomBytes(300_000);
  socket.send(sent);
  const [echo] = await once(socket, 'message');
  expect((echo as Buffer).equals(sent)).toBe(true);
  socket.close(1000);
  expect((await once(socket, 'close'))[0]).toBe(1000);
});

test('a client that ends its side is let go', async () => {
  const client = new RawClient(await shake());
  client.send(head('GET /half'));
  expect((await client.answer()).status).toBe(200);
  client.socket.end();
  await client.untilClosed();
});

test.each(['h2', 'http/1.1'])('%s is agreed on where a client offers it', async (protocol) => {
  const socket = await shake({ ALPNProtocols: [protocol] });
  expect(socket.alpnProtocol).toBe(protocol);
  socket.destroy();
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken, with forward secrecy', async (version) => {
  const socket = await shake({ minVersion: version, maxVersion: version });
  expect(socket.getProtocol()).toBe(version);
  expect(socket.getCipher().name).toMatch(/^(TLS_|ECDHE-).*(GCM|POLY1305)/);
  socket.destroy();
});

test.each([
  ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
  ['a cipher without forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
  ['a cipher in CBC mode', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
  ['a protocol that is not spoken here', { ALPNProtocols: ['spdy/3'] }],
] as [string, ConnectionOptions][])('%s is refused, and counted', async (_, options) => {
  const failed = async (): Promise<number> =>
    sumOf(await metricsOf(router.admin), 'cellgate_client_handshakes_failed_total');
  const before = await failed();
  await expect(shake(options)).rejects.toThrow();
  await until('it is counted', async () => (await failed()) > before);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s is resumed', async (version) => {
  const options = { minVersion: version, maxVersion: version };
  const first = new RawClient(await shake(options));
  const tickets: Buffer[] = [];
  first.socket.on('session', (ticket: Buffer) => tickets.push(ticket));
  first.send(head('GET /first'));
  await first.answer();
  const session = await until(
    'a ticket has come',
    () => tickets[0] ?? (first.socket as TLSSocket).getSession(),
  );
  first.close();
  const second = await shake({ ...options, session });
  expect(second.isSessionReused()).toBe(true);
  second.destroy();
});

test('plain HTTP is told that this port speaks HTTPS, and the connection ends', async () => {
  const { status, body } = await ask(router.port, head('GET /plain'));
  expect([status, body]).toEqual([400, 'This port speaks HTTPS only.']);
});

test('bytes that are neither end the connection', async () => {
  const socket = connectTcp(router.port, '127.0.0.1').on('error', () => undefined);
  socket.write(randomBytes(300));
  await once(socket.resume(), 'close');
});

test.concurrent('a handshake that never comes is not waited for', async () => {
  const socket = connectTcp(router.port, '127.0.0.1').on('error', () => undefined);
  await once(socket.resume(), 'close');
});

test.concurrent('a client that never takes its answer is reset, and keeps nothing of the cell', async () => {
  const seen = { begun: false, left: false };
  cell.scripts.set('/endless', (_, response) => {
    seen.begun = true;
    response.on('close', () => (seen.left = true));
    const write = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      response.once('drain', write);
    };
    write();
  });
  const socket = (await shake()).on('error', () => undefined);
  socket.pause().write(head('GET /endless'));
  await until('the answer has begun', () => seen.begun);
  await until('the cell is left', () => seen.left, 60_000);
  socket.resume();
  await until('the connection is over', () => socket.destroyed);
});

test('at a stop answers say goodbye, handshakes are cut, and the exit code is 0', async () => {
  const own = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv(issued),
    DRAIN_GRACE_MS: '300',
  });
  const silent = connectTcp(own.port, '127.0.0.1').on('error', () => undefined);
  const client = new RawClient(await shake({}, own.port));
  client.send(head('GET /before'));
  expect((await client.answer()).headers.some(([, value]) => value === 'close')).toBe(false);
  own.kill('SIGTERM');
  await until('it drains', () => own.logs.some(({ msg }) => msg === 'router draining'));
  client.send(head('GET /draining'));
  expect((await client.answer()).headers).toContainEqual(['Connection', 'close']);
  await client.untilClosed();
  expect(await own.exited).toBe(0);
  await own.stop();
  silent.destroy();
});

test('more connections than allowed close the longest quiet one, whatever it has said so far', async () => {
  const own = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv(issued),
    MAX_CONNECTIONS: '3',
  });
  const silent = connectTcp(own.port, '127.0.0.1').on('error', () => undefined);
  const silentClosed = once(silent.resume(), 'close');
  await until('it is counted', async () => (await connections(own)) === 1);
  const http2 = openHttp2(own, ca);
  expect((await askHttp2(http2, '/x')).status).toBe(200);
  const http1 = await shake({}, own.port);
  const one = await shake({}, own.port);
  await silentClosed;
  const another = await shake({}, own.port);
  await until('the one of HTTP/2 was next', () => http2.destroyed);
  expect(await connections(own)).toBe(3);
  for (const socket of [http1, one, another]) socket.destroy();
  expect(await own.stop()).toBe(0);
});

async function connections({ admin }: RunningRouter): Promise<number> {
  return sumOf(await metricsOf(admin), 'cellgate_client_connections');
}

test('a new certificate is shown to who comes after it, and nobody who is there loses anything', async () => {
  const own = pemFolder();
  const [cert, key] = [join(own, 'tls.pem'), join(own, 'tls.key')];
  const put = ({ certificate, key: secret }: Issued): void => {
    copyFileSync(certificate, cert);
    copyFileSync(secret, key);
  };
  put(issued);
  const second = await startRouter(
    fleetOf({ 'cell-a': { origin: cell.origin } }),
    tlsEnv({ certificate: cert, key }),
  );
  const subject = async (): Promise<unknown> => {
    const socket = await shake({}, second.port);
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };
  expect(await subject()).toBe('first');
  const session = openHttp2(second, ca);
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca });
  const statuses: number[] = [];
  const run = { going: true };
  const over1 = async (): Promise<void> => {
    while (run.going) {
      const outgoing = request(`${second.url}/load`, { agent, headers: { 'x-tenant-id': 'acme' } }).end();
      const [answer] = await once(outgoing, 'response');
      await buffer(answer);
      statuses.push(answer.statusCode);
    }
  };
  const over2 = async (): Promise<void> => {
    while (run.going) statuses.push((await askHttp2(session, '/load')).status);
  };
  const load = Promise.all([over1(), over1(), over2(), over2()]);
  put(authority.issue('second'));
  await until('the new one is shown', async () => (await subject()) === 'second');
  const seen = statuses.length;
  await until('the old connections go on', () => statuses.length > seen + 20);
  run.going = false;
  await load;
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(session.destroyed).toBe(false);
  // A file that is no certificate changes nothing.
  writeFileSync(cert, 'nothing');
  await until('it is refused', async () => {
    return sumOf(await metricsOf(second.admin), 'cellgate_client_tls_files_refused') === 1;
  });
  expect(await subject()).toBe('second');
  session.close();
  agent.destroy();
  expect(await second.stop()).toBe(0);
});

test.each([
  ['a certificate without a key', () => ({ TLS_CERT_FILE: issued.certificate }), 'TLS_KEY_FILE'],
  ['a key without a certificate', () => ({ TLS_KEY_FILE: issued.key }), 'TLS_CERT_FILE'],
  [
    'a file that is not there',
    () => ({ TLS_CERT_FILE: '/nowhere.pem', TLS_KEY_FILE: issued.key }),
    'TLS_CERT_FILE',
  ],
  [
    'a file that is no certificate',
    () => ({ TLS_CERT_FILE: issued.key, TLS_KEY_FILE: issued.key }),
    'TLS_CERT_FILE',
  ],
  [
    'the key of another certificate',
    () => ({ TLS_CERT_FILE: issued.certificate, TLS_KEY_FILE: authority.issue('other').key }),
    'TLS_KEY_FILE',
  ],
])('with %s nothing starts, and the variable is named', async (_, env, name) => {
  const { code, stderr } = await runRouterToEnd(fleetOf({ 'cell-a': { origin: cell.origin } }), env());
  expect(code).toBe(2);
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  expect(stderr).not.toContain('PRIVATE');
});

test('with several workers both protocols are served, by all of them, and the exit code is 0', async () => {
  const own = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv(issued),
    WORKERS: '2',
  });
  const sessions = Array.from({ length: 6 }, () => openHttp2(own, ca));
  const replies = await Promise.all(sessions.map((session) => askHttp2(session, '/workers')));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  const client = new RawClient(await shake({}, own.port));
  client.send(head('GET /workers'));
  expect((await client.answer()).status).toBe(200);
  const told = await metricsOf(own.admin);
  expect(sumOf(told, 'cellgate_client_http2_connections')).toBe(6);
  expect(sumOf(told, 'cellgate_certificate_expiry_seconds', { use: 'public' })).toBeLessThan(3 * 86_400);
  const goaways = Promise.all(sessions.map(async (session) => await once(session, 'goaway')));
  own.kill('SIGTERM');
  await goaways;
  client.close();
  expect(await own.exited).toBe(0);
  await own.stop();
});

test('with several workers a wrong file is told once, and nothing starts', async () => {
  const { code, stderr } = await runRouterToEnd(fleetOf({ 'cell-a': { origin: cell.origin } }), {
    ...tlsEnv({ certificate: '/nowhere.pem', key: issued.key }),
    WORKERS: '2',
  });
  expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
  expect(stderr).toMatch(/^TLS_CERT_FILE: /);
});
