// Where a tenant may come from, end to end: header, sub-domain, path, verified token, and all of them together.
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { ask, valuesOf, type RawAnswer } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';

const ISSUER = 'https://login.test';
const AUDIENCE = 'orders';

let cell: StubCell;
let folder: string;
let router: RunningRouter;
let keyless: RunningRouter;
let proxied: RunningRouter;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellgate-keys-'));
  keys = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  const jwks = join(folder, 'jwks.json');
  await writeFile(jwks, JSON.stringify({ keys: [jwk] }));
  cell = await startStubCell('cell-a');
  const jwt = { claim: 'tid', issuer: ISSUER, audience: AUDIENCE, algorithms: ['RS256'] };
  const cells = { 'cell-a': { origin: cell.origin } };
  const tenant = [
    { header: 'x-tenant-id' },
    { subdomain: 'shop.test' },
    { path: '/t/:tenant' },
    { jwt: { ...jwt, jwks } },
  ];
  const nobody = `http://127.0.0.1:${await freePort()}/jwks`;
  [router, keyless, proxied] = await Promise.all([
    startRouter(fleetOf(cells, { tenant })),
    startRouter(fleetOf(cells, { tenant: [{ jwt: { ...jwt, jwks: nobody } }] })),
    startRouter(fleetOf(cells, { tenant: [{ header: 'x-org', trusted: true }] })),
  ]);
});

afterAll(async () => {
  await Promise.all([router.stop(), keyless.stop(), proxied.stop()]);
  await cell.close();
  await rm(folder, { recursive: true });
});

async function token(claims: Record<string, unknown> = { tid: 'acme' }, expires = '5m'): Promise<string> {
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setExpirationTime(expires)
    .sign(keys.privateKey);
}

async function asking(target: string, fields: string[], of = router): Promise<RawAnswer> {
  const host = fields.some((field) => field.startsWith('Host:')) ? [] : ['Host: api.test'];
  return await ask(of.port, [`GET ${target} HTTP/1.1`, ...host, ...fields, '', ''].join('\r\n'));
}

/** The tenant that the cell was told. */
async function tenantOf(target: string, fields: string[] = []): Promise<unknown> {
  const answer = await asking(target, fields);
  expect(answer.status).toBe(200);
  const seen = JSON.parse(answer.body) as { url: string; headers: Record<string, string> };
  expect(seen.url).toBe(target);
  return seen.headers['x-tenant-id'];
}

async function refusal(target: string, fields: string[] = [], of = router): Promise<[number, string]> {
  const answer = await asking(target, fields, of);
  const { code } = JSON.parse(answer.body) as { code: string };
  return [answer.status, code];
}

test('a header names the tenant', async () => {
  expect(await tenantOf('/', ['X-TENANT-ID: Acme'])).toBe('Acme');
});

test('a sub-domain names the tenant, in lower case', async () => {
  expect(await tenantOf('/', ['Host: ACME.Shop.test:8080'])).toBe('acme');
});

test('the path names the tenant, decoded, and stays as it is', async () => {
  expect(await tenantOf('/t/ac%6De/orders?x')).toBe('acme');
});

test('a verified token names the tenant', async () => {
  expect(await tenantOf('/', [`Authorization: Bearer ${await token()}`])).toBe('acme');
});

test('sources that agree are one answer', async () => {
  const fields = ['Host: acme.shop.test', 'x-tenant-id: acme', `Authorization: Bearer ${await token()}`];
  expect(await tenantOf('/t/acme', fields)).toBe('acme');
});

test.each([
  ['the header and the sub-domain', '/', ['Host: other.shop.test', 'x-tenant-id: acme']],
  ['the header and the path', '/t/other', ['x-tenant-id: acme']],
  ['the sub-domain and the path', '/t/other', ['Host: acme.shop.test']],
])('%s in disagreement are a conflict', async (_, target, fields) => {
  expect(await refusal(target, fields)).toEqual([400, 'tenant-conflict']);
});

test('a token that disagrees with the header is a conflict', async () => {
  const bearer = `Authorization: Bearer ${await token({ tid: 'other' })}`;
  expect(await refusal('/', ['x-tenant-id: acme', bearer])).toEqual([400, 'tenant-conflict']);
});

test.each(['shop.test', 'a.b.shop.test', 'acme.shop.test.evil.test', '.shop.test'])(
  'the host %s names no tenant',
  async (host) => {
    expect(await refusal('/', [`Host: ${host}`])).toEqual([400, 'tenant-missing']);
  },
);

test('a path that can not be decoded is invalid, not missing', async () => {
  expect(await refusal('/t/%zz')).toEqual([400, 'tenant-invalid']);
});

test('an unsigned token is a 401 that says how to ask', async () => {
  const unsigned = new UnsecuredJWT({ tid: 'acme' }).setIssuer(ISSUER).setAudience(AUDIENCE).encode();
  const answer = await asking('/', [`Authorization: Bearer ${unsigned}`]);
  expect(answer.status).toBe(401);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'tenant-unverified' });
  expect(valuesOf(answer, 'www-authenticate')).toEqual(['Bearer error="invalid_token"']);
});

test('an expired, a foreign, a broken and a claimless token are a 401 each', async () => {
  const foreign = await generateKeyPair('RS256');
  const forged = await new SignJWT({ tid: 'acme', iss: ISSUER, aud: AUDIENCE })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setExpirationTime('5m')
    .sign(foreign.privateKey);
  const tokens = [
    await token({ tid: 'acme' }, '-1m'),
    forged,
    'a.b.c',
    'garbage',
    await token({ sub: 'acme' }),
  ];
  for (const one of tokens) {
    expect(await refusal('/', ['x-tenant-id: acme', `Authorization: Bearer ${one}`])).toEqual([
      401,
      'tenant-unverified',
    ]);
  }
});

test('another scheme of authorization is no token', async () => {
  expect(await tenantOf('/', ['x-tenant-id: acme', 'Authorization: Basic Zm9vOmJhcg=='])).toBe('acme');
});

test('a source of keys that does not answer is a 503, not a 401', async () => {
  const answer = await asking('/', [`Authorization: Bearer ${await token()}`], keyless);
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'keys-unavailable' });
  expect(valuesOf(answer, 'retry-after')).toEqual(['2']);
});

test('a header that only trusted proxies may set is not believed from others', async () => {
  expect(await refusal('/', ['x-org: acme'], proxied)).toEqual([400, 'tenant-missing']);
});
