// Cells that can not be trusted, or do not trust the router: refused, counted by why, and told in words that tell nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeAuthority } from '../support/certificates.ts';
import { metricsOf, sumOf } from '../support/metrics.ts';
import { ask, head, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { showing } from '../support/tls-cell.ts';

const OLD_TLS = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;

const folder = mkdtempSync(join(tmpdir(), 'cellgate-tls-'));
let cells: StubCell[];
let router: RunningRouter;

beforeAll(async () => {
  const [authority, other] = [makeAuthority(folder), makeAuthority(folder, 'other')];
  const sound = authority.issue('sound');
  const shown = {
    'cell-sound': showing(sound),
    'cell-other': showing(other.issue('of-another')),
    'cell-named': showing(authority.issue('named', { names: 'DNS:cell-b.example.com,IP:127.0.0.9' })),
    // Its origin's host is its subject, and that is no name.
    'cell-unnamed': showing(authority.issue('localhost', { names: '' })),
    'cell-expired': showing(authority.issue('expired', { days: -1 })),
    'cell-old': { ...showing(sound), ...OLD_TLS },
    'cell-strict': showing(sound, other.certificate),
  };
  cells = await Promise.all(Object.entries(shown).map(([id, tls]) => startStubCell(id, { tls })));
  const plain = await startStubCell('cell-plain');
  cells.push(plain);
  const originOf = (name: string): string => cells.find(({ id }) => id === name)?.origin ?? '';
  const origins = {
    ...Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])),
    'cell-unnamed': { origin: originOf('cell-unnamed').replace('127.0.0.1', 'localhost') },
    'cell-plain': { origin: plain.origin.replace('http:', 'https:') },
  };
  const pins = Object.fromEntries(Object.keys(origins).map((id) => [id.replace('cell-', ''), id]));
  router = await startRouter(fleetOf(origins, { pins }), {
    CELL_TLS_CA_FILE: authority.certificate,
    // Each failure is met on the request path: no cell is condemned meanwhile, and nothing waits for that.
    PROBE_INTERVAL_MS: '2000',
    FALL: '100',
    HOLD_MAX: '0',
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all(cells.map((cell) => cell.close()));
  rmSync(folder, { recursive: true });
});

async function failures(labels: Record<string, string>): Promise<number> {
  return sumOf(await metricsOf(router.admin), 'cellgate_cell_tls_failures_total', labels);
}

/** Asks as the tenant of that cell, which is refused; answers the router's words. */
async function refusal(tenant: string, line: string): Promise<string> {
  const answer = await ask(router.port, head(line).replace('x-tenant-id: acme', `x-tenant-id: ${tenant}`));
  expect(answer.status).toBe(502);
  expect(valuesOf(answer, 'content-type')).toEqual(['application/problem+json']);
  const whole = JSON.stringify(answer);
  for (const secret of ['127.0.0.1', 'CN=', 'BEGIN', 'example.com', 'ERR_', 'CERT_', 'openssl'])
    expect(whole).not.toContain(secret);
  const { code, detail } = JSON.parse(answer.body) as { code: string; detail: string };
  expect(code).toBe('cell-connection-failed');
  return detail;
}

test.each([
  ['of another authority', 'other', 'untrusted', 'certificate not trusted'],
  ['for another name', 'named', 'wrong-name', 'certificate for another name'],
  ['without a name but its subject', 'unnamed', 'wrong-name', 'certificate for another name'],
  ['that is over', 'expired', 'expired', 'certificate expired'],
])('a certificate %s is refused', async (_, tenant, reason, words) => {
  const cell = `cell-${tenant}`;
  const before = await failures({ cell, reason });
  expect(await refusal(tenant, 'GET /orders')).toBe(words);
  expect(await refusal(tenant, 'POST /orders')).toBe(words);
  // Probes fail as well, at any time: both sums are of one reading.
  const samples = await metricsOf(router.admin);
  const told = (labels: Record<string, string>): number =>
    sumOf(samples, 'cellgate_cell_tls_failures_total', labels);
  expect(told({ cell, reason })).toBeGreaterThanOrEqual(before + 2);
  expect(told({ cell })).toBe(told({ cell, reason }));
});

test('a cell that will not do without a client certificate has not read what it was sent', async () => {
  expect(await refusal('strict', 'GET /orders')).toBe('client certificate refused');
  expect(await refusal('strict', 'POST /orders')).toBe('client certificate refused');
  expect(cells.find(({ id }) => id === 'cell-strict')?.seen).toEqual([]);
  const reason = 'client-certificate-refused';
  expect(await failures({ cell: 'cell-strict', reason })).toBeGreaterThanOrEqual(2);
});

test.each(['old', 'plain'])('nothing older than TLS 1.2 is spoken, nor anything else: %s', async (tenant) => {
  expect(await refusal(tenant, 'GET /orders')).toBe('no TLS connection');
  expect(await failures({ cell: `cell-${tenant}`, reason: 'protocol' })).toBeGreaterThan(0);
});

test('the end of a certificate is told though it was refused', async () => {
  await refusal('expired', 'GET /orders');
  const labels = { use: 'cell-peer', cell: 'cell-expired' };
  const left = sumOf(await metricsOf(router.admin), 'cellgate_certificate_expiry_seconds', labels);
  expect(left).toBeLessThan(-80_000);
});

test('a cell beside them is none the worse for it', async () => {
  const request = head('GET /orders').replace('x-tenant-id: acme', 'x-tenant-id: sound');
  expect((await ask(router.port, request)).status).toBe(200);
  expect(await failures({ cell: 'cell-sound' })).toBe(0);
});
