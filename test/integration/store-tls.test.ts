// Redis behind TLS: a router trusts the certificates it was told to trust, and no others.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeCertificates, type Certificates } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import { routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

async function stubs(): Promise<[StubCell, StubCell]> {
  const [a, b] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  return [a, b];
}

/** A Redis that speaks TLS on a port of its own; answers its URL. */
async function startBehindTls(): Promise<{ url: string; files: Certificates }> {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = makeCertificates(folder);
  const port = await freePort();
  const paths = ['--tls-cert-file', files.certificate, '--tls-key-file', files.key];
  const trust = ['--tls-ca-cert-file', files.authority, '--tls-auth-clients', 'no'];
  const redis = await startRedis({ args: ['--tls-port', String(port), ...paths, ...trust] });
  onTestFinished(async () => await redis.stop());
  return { url: `rediss://127.0.0.1:${port}`, files };
}

test('with the authority trusted a verdict is passed, and heard, over TLS', async () => {
  const [{ url, files }, [a, b]] = await Promise.all([startBehindTls(), stubs()]);
  const setting = await routed([a, b], { REDIS_URL: url, NODE_EXTRA_CA_CERTS: files.authority });
  await until('the store answers', async () => (await setting.gauge('cellgate_store_up')) === 1);
  await a.die();
  await until('the neighbour serves', async () => (await setting.explain('acme')).cell === 'cell-b');
  expect((await setting.send('acme')).headers['x-cell-id']).toBe('cell-b');
});

test('a certificate that nobody vouches for is not spoken to, and requests go on', async () => {
  const [{ url }, [a, b]] = await Promise.all([startBehindTls(), stubs()]);
  const setting = await routed([a, b], { REDIS_URL: url });
  await until('the store is missed', () =>
    setting.router.logs.some(({ msg }) => String(msg).startsWith('the store does not answer')),
  );
  expect([(await setting.send('acme')).status, await setting.gauge('cellgate_store_up')]).toEqual([200, 0]);
});
