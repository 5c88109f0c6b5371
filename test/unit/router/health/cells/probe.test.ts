// What a cell's answer to one probe means, against real sockets.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Probe, type ProbeResult } from '../../../../../router/health/cells/probe.ts';
import { freePort } from '../../../../support/ports.ts';
import { startStubCell, type StubCell } from '../../../../support/stub-cell.ts';
import { plainNetwork } from '../../../../support/network.ts';

/** Long enough for a busy machine; nothing here waits for it but the tests of silence. */
const PATIENT_MS = 10_000;
const IMPATIENT_MS = 50;

async function asked(origin: string, timeoutMs = PATIENT_MS): Promise<ProbeResult> {
  const probe = new Probe('cell-a', origin, timeoutMs, plainNetwork());
  try {
    return await probe.ask();
  } finally {
    await probe.close();
  }
}

async function stub(): Promise<StubCell> {
  const cell = await startStubCell('cell-a');
  onTestFinished(async () => await cell.close());
  return cell;
}

/** A listener that answers every connection's first bytes with `reply`; null: with nothing at all. */
async function rawCell(reply: string | null): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      if (reply !== null) socket.end(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const HEALTHY = { cell: 'cell-a', version: '1.2.3', status: 'ok', checks: {} };

/** What a cell of contract level 0 tells beside how it is. */
const NOTHING = { epochs: null, rules: {}, caughtUp: null, standbys: {}, degraded: false };

test('a healthy cell is up, with its version', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, somethingElse: true };
  expect(await asked(cell.origin)).toEqual({ ok: true, version: '1.2.3', told: NOTHING });
});

test('a degraded cell is up, and says so', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, status: 'degraded' };
  expect(await asked(cell.origin)).toMatchObject({ ok: true, told: { degraded: true } });
});

test.each([200, 503])('a cell that says it is down is believed, with status %i', async (status) => {
  const cell = await stub();
  Object.assign(cell.health, { status, body: { ...HEALTHY, status: 'down' } });
  expect(await asked(cell.origin)).toEqual({
    ok: false,
    evidence: 'self-declared',
    reason: 'says it is down',
    version: '1.2.3',
    told: NOTHING,
  });
});

test.each([500, 503, 404, 302])('a status of %i is no health, whatever the body says', async (status) => {
  const cell = await stub();
  Object.assign(cell.health, { status, body: HEALTHY });
  expect(await asked(cell.origin)).toMatchObject({
    ok: false,
    evidence: 'failing',
    reason: `health answered ${status}`,
  });
});

test.each([
  ['null', null],
  ['a list', []],
  ['a word', 'ok'],
  ['no status', { cell: 'cell-a', version: '1' }],
  ['an unknown status', { ...HEALTHY, status: 'fine' }],
  ['a version of a kilobyte', { ...HEALTHY, version: 'x'.repeat(1_000) }],
])('an answer with %s is not understood', async (_, body) => {
  const cell = await stub();
  cell.health.body = body;
  expect(await asked(cell.origin)).toMatchObject({
    ok: false,
    evidence: 'failing',
    reason: 'health answer is not understood',
  });
});

test('another cell at its origin is not the cell', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, cell: 'cell-b' };
  expect(await asked(cell.origin)).toMatchObject({
    ok: false,
    evidence: 'failing',
    reason: 'another cell answers at its origin',
  });
});

test('a port without a listener is unreachable', async () => {
  expect(await asked(`http://127.0.0.1:${await freePort()}`)).toEqual({
    ok: false,
    evidence: 'unreachable',
    reason: 'connection refused',
    version: null,
    told: null,
  });
});

test('a fenced cell tells which rules it knows', async () => {
  const cell = await stub();
  const rules = { 'cell-a': { home: 'cell-a', epoch: 4 } };
  cell.health.body = { ...HEALTHY, epochs: { 'cell-a': 4 }, rules, caughtUp: true };
  expect(await asked(cell.origin)).toMatchObject({
    ok: true,
    told: { epochs: { 'cell-a': 4 }, rules, caughtUp: true, degraded: false },
  });
});

test('a cell that is down by its own word still tells which rules it knows', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, status: 'down', epochs: { 'cell-a': 4 } };
  expect(await asked(cell.origin)).toMatchObject({ ok: false, told: { epochs: { 'cell-a': 4 } } });
});

test.each([
  ['a list', []],
  ['a negative epoch', { 'cell-a': -1 }],
  ['an epoch in words', { 'cell-a': 'four' }],
  ['half an epoch', { 'cell-a': 1.5 }],
])('epochs that are %s are none, and the cell is up all the same', async (_, epochs) => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, epochs, rules: 'many', standbys: [], caughtUp: 'soon' };
  expect(await asked(cell.origin)).toEqual({ ok: true, version: '1.2.3', told: NOTHING });
});

test('what another cell tells at its origin is not believed', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, cell: 'cell-b', epochs: { 'cell-a': 4 } };
  expect(await asked(cell.origin)).toMatchObject({ ok: false, told: null });
});

test('a cell that never answers has timed out', async () => {
  expect(await asked(await rawCell(null), IMPATIENT_MS)).toMatchObject({
    evidence: 'unreachable',
    reason: 'timed out',
  });
});

test('a cell that never ends its answer has timed out', async () => {
  const cell = await startStubCell('cell-a');
  onTestFinished(async () => await cell.close());
  cell.server.removeAllListeners('request');
  cell.server.on('request', (_, response) => response.writeHead(200).write('{"cell":'));
  expect(await asked(cell.origin, IMPATIENT_MS)).toMatchObject({ reason: 'timed out' });
});

test('a cell that cuts the connection is unreachable', async () => {
  expect(await asked(await rawCell(''))).toMatchObject({
    evidence: 'unreachable',
    reason: 'connection reset',
  });
});

test('a cell that speaks something else is there, and ill', async () => {
  expect(await asked(await rawCell('220 mail.test ESMTP\r\n'))).toMatchObject({
    evidence: 'failing',
    reason: 'answer is not HTTP',
  });
});

test('an answer without an end in sight is cut, and the cell is ill', async () => {
  const cell = await stub();
  cell.health.body = { ...HEALTHY, checks: 'x'.repeat(1_100_000) };
  expect(await asked(cell.origin)).toMatchObject({
    evidence: 'failing',
    reason: 'health answer is too large',
  });
});

test('a probe that is closed while it asks answers all the same', async () => {
  const probe = new Probe('cell-a', await rawCell(null), PATIENT_MS, plainNetwork());
  const answer = probe.ask();
  await probe.close();
  expect(await answer).toMatchObject({ ok: false });
});

test('no reason names an address', async () => {
  const port = await freePort();
  for (const origin of [
    `http://127.0.0.1:${port}`,
    await rawCell('nonsense\r\n'),
    'http://no-such-host.invalid',
  ]) {
    const result = await asked(origin);
    expect(JSON.stringify(result)).not.toMatch(/127\.0\.0\.1|invalid|\d{4,}/);
  }
});
