// Tenants from bearer tokens: real keys, real tokens, and keys read from a real HTTP server or file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import type { JwtSource } from '../../../router/fleet/fleet.ts';
import { findTenant } from '../../../router/tenant.ts';
import { TokenVerifier, type ClaimAnswer } from '../../../router/token.ts';
import { until } from '../../support/wait.ts';
import { fleetFrom, PAIR } from './fleet/fleets.ts';
import { headOf } from './heads.ts';

const FLEET = fleetFrom(PAIR);
const ISSUER = 'https://idp.test';
const AUDIENCE = 'cellgate';

type Key = { kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK };

async function newKey(alg: string, kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

const RSA = await newKey('RS256', 'rsa-1');
const EC = await newKey('ES256', 'ec-1');
const NEXT = await newKey('ES256', 'ec-2');

type Differences = { claims?: Record<string, unknown>; issuer?: string; audience?: string; expires?: string };

async function tokenOf(key: Key, differences: Differences = {}): Promise<string> {
  return await new SignJWT(differences.claims ?? { tid: 'acme' })
    .setProtectedHeader({ alg: key.alg, kid: key.kid })
    .setIssuer(differences.issuer ?? ISSUER)
    .setAudience(differences.audience ?? AUDIENCE)
    .setExpirationTime(differences.expires ?? '1h')
    .sign(key.privateKey);
}

function sourceOf(jwks: string, algorithms = ['RS256', 'ES256']): JwtSource {
  return { claim: 'tid', issuer: ISSUER, audience: AUDIENCE, jwks, algorithms };
}

function headWith(...credentials: string[]) {
  return headOf({ headers: credentials.map((value): [string, string] => ['Authorization', value]) });
}

async function claimOf(verifier: TokenVerifier, source: JwtSource, token: string): Promise<ClaimAnswer> {
  return await verifier.claimOf(headWith(`Bearer ${token}`), source);
}

/** Keys in a file of the test's own. */
async function keyFile(...keys: Key[]) {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-keys-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const path = join(folder, 'keys.json');
  const write = async (...next: Key[]): Promise<void> =>
    await writeFile(path, JSON.stringify({ keys: next.map(({ jwk }) => jwk) }));
  await write(...keys);
  return { path, write, source: sourceOf(path) };
}

/** Keys behind a URL. `answers` false: every connection is cut. */
async function keyServer(...keys: Key[]) {
  const state = { keys, asked: 0, answers: true };
  const server = createServer((request, response) => {
    state.asked += 1;
    if (!state.answers) {
      request.socket.destroy();
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const source = sourceOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
  return { state, source };
}

const QUICK = { cooldownMs: 0 };

test.each([RSA, EC])('a good token signed with $alg names its tenant', async (key) => {
  const { source } = await keyFile(RSA, EC);
  expect(await claimOf(new TokenVerifier(), source, await tokenOf(key))).toEqual({ claim: 'acme' });
});

test('keys are read from a URL once, and kept', async () => {
  const { state, source } = await keyServer(RSA, EC);
  const verifier = new TokenVerifier();
  for (const key of [RSA, EC, RSA]) {
    expect(await claimOf(verifier, source, await tokenOf(key))).toEqual({ claim: 'acme' });
  }
  expect(state.asked).toBe(1);
});

test.each<[string, Differences, string]>([
  ['expired', { expires: '1 minute ago' }, 'expired'],
  ['from another issuer', { issuer: 'https://evil.test' }, 'claim'],
  ['for another audience', { audience: 'billing' }, 'claim'],
  ['without the tenant’s claim', { claims: {} }, 'names no tenant'],
  ['with a number as tenant', { claims: { tid: 42 } }, 'names no tenant'],
  ['with a list as tenant', { claims: { tid: ['acme'] } }, 'names no tenant'],
  ['with null as tenant', { claims: { tid: null } }, 'names no tenant'],
])('a token %s is unverified', async (_, differences, detail) => {
  const { source } = await keyFile(EC);
  const token = await tokenOf(EC, differences);
  const answer = await claimOf(new TokenVerifier(), source, token);
  expect(answer).toEqual({ refusal: 'tenant-unverified', detail: expect.stringContaining(detail) });
});

test('a claim that every object has is no tenant', async () => {
  const { source } = await keyFile(EC);
  const answer = await claimOf(new TokenVerifier(), { ...source, claim: 'constructor' }, await tokenOf(EC));
  expect(answer).toMatchObject({ refusal: 'tenant-unverified' });
});

test('a token that expired a moment ago is taken: clocks differ', async () => {
  const { source } = await keyFile(EC);
  const token = await tokenOf(EC, { expires: '1 second ago' });
  expect(await claimOf(new TokenVerifier(), source, token)).toEqual({ claim: 'acme' });
});

test('a token without a signature is unverified', async () => {
  const { source } = await keyFile(EC);
  const token = new UnsecuredJWT({ tid: 'acme' }).setIssuer(ISSUER).setAudience(AUDIENCE).encode();
  const answer = await claimOf(new TokenVerifier(), source, token);
  expect(answer).toMatchObject({ refusal: 'tenant-unverified' });
});

test('a public key is never taken for a shared secret', async () => {
  const { source } = await keyFile(RSA);
  const secret = new TextEncoder().encode(await exportSPKI(RSA.publicKey));
  const token = await new SignJWT({ tid: 'acme' })
    .setProtectedHeader({ alg: 'HS256', kid: RSA.kid })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setExpirationTime('1h')
    .sign(secret);
  const answer = await claimOf(new TokenVerifier(), source, token);
  expect(answer).toEqual({
    refusal: 'tenant-unverified',
    detail: 'The algorithm of the token is not allowed.',
  });
});

test('an algorithm that is not on the list is unverified, with a good key and signature too', async () => {
  const { source } = await keyFile(RSA, EC);
  const answer = await claimOf(new TokenVerifier(), { ...source, algorithms: ['RS256'] }, await tokenOf(EC));
  expect(answer).toEqual({
    refusal: 'tenant-unverified',
    detail: 'The algorithm of the token is not allowed.',
  });
});

test('a token signed with another key of the same name is unverified', async () => {
  const { source } = await keyFile(EC);
  const answer = await claimOf(new TokenVerifier(), source, await tokenOf({ ...NEXT, kid: EC.kid }));
  expect(answer).toEqual({ refusal: 'tenant-unverified', detail: 'The signature does not match.' });
});

test('a token whose tenant was changed is unverified', async () => {
  const { source } = await keyFile(EC);
  const [head, , signature] = (await tokenOf(EC)).split('.');
  const [, payload] = (await tokenOf(EC, { claims: { tid: 'beta' } })).split('.');
  const answer = await claimOf(new TokenVerifier(), source, [head, payload, signature].join('.'));
  expect(answer).toMatchObject({ refusal: 'tenant-unverified' });
});

test('a token of an unknown key is unverified', async () => {
  const { source } = await keyFile(EC);
  const answer = await claimOf(new TokenVerifier(), source, await tokenOf(NEXT));
  expect(answer).toEqual({
    refusal: 'tenant-unverified',
    detail: 'The token is signed with an unknown key.',
  });
});

test('a new key is picked up from the file when a token names it', async () => {
  const { source, write } = await keyFile(EC);
  const verifier = new TokenVerifier(QUICK);
  await claimOf(verifier, source, await tokenOf(EC));
  await write(EC, NEXT);
  expect(await claimOf(verifier, source, await tokenOf(NEXT))).toEqual({ claim: 'acme' });
});

test('a new key is picked up from the URL when a token names it', async () => {
  const { source, state } = await keyServer(EC);
  const verifier = new TokenVerifier(QUICK);
  await claimOf(verifier, source, await tokenOf(EC));
  state.keys = [EC, NEXT];
  expect(await claimOf(verifier, source, await tokenOf(NEXT))).toEqual({ claim: 'acme' });
});

test('tokens of unknown keys ask the URL no more often than the cooldown allows', async () => {
  const { source, state } = await keyServer(EC);
  const verifier = new TokenVerifier({ cooldownMs: 86_400_000 });
  await claimOf(verifier, source, await tokenOf(EC));
  for (let i = 0; i < 5; i += 1) {
    expect(await claimOf(verifier, source, await tokenOf(NEXT))).toMatchObject({
      refusal: 'tenant-unverified',
    });
  }
  expect(state.asked).toBe(1);
});

test('while keys were never read they are unavailable, which is not the token’s fault', async () => {
  const { source, state } = await keyServer(EC);
  state.answers = false;
  const verifier = new TokenVerifier();
  expect(await claimOf(verifier, source, await tokenOf(EC))).toMatchObject({ refusal: 'keys-unavailable' });
  state.answers = true;
  expect(await claimOf(verifier, source, await tokenOf(EC))).toEqual({ claim: 'acme' });
});

test('keys that were read once go on verifying while their source is away', async () => {
  const { source, state } = await keyServer(EC);
  const verifier = new TokenVerifier({ cooldownMs: 0, renewMs: 0 });
  await claimOf(verifier, source, await tokenOf(EC));
  state.answers = false;
  await until('the keys were asked for again', async () => {
    expect(await claimOf(verifier, source, await tokenOf(EC))).toEqual({ claim: 'acme' });
    return state.asked > 1;
  });
  expect(await claimOf(verifier, source, await tokenOf(EC))).toEqual({ claim: 'acme' });
});

test('keys that their source no longer has stop verifying after the next renewal', async () => {
  const { source, state } = await keyServer(EC, NEXT);
  const verifier = new TokenVerifier({ cooldownMs: 86_400_000, renewMs: 0 });
  await claimOf(verifier, source, await tokenOf(NEXT));
  state.keys = [NEXT];
  const token = await tokenOf(EC);
  await until('the old key is refused', async () => 'refusal' in (await claimOf(verifier, source, token)));
});

test.each(['{', '{}', '{"keys": 5}', 'null', '[]'])(
  'a file of keys that holds %s has none',
  async (content) => {
    const { source, path } = await keyFile(EC);
    await writeFile(path, content);
    const answer = await claimOf(new TokenVerifier(), source, await tokenOf(EC));
    expect(answer).toMatchObject({ refusal: 'keys-unavailable' });
  },
);

test('a missing file of keys is read once it is there', async () => {
  const { path, write } = await keyFile(EC);
  await rm(path);
  const verifier = new TokenVerifier();
  const source = sourceOf(path);
  expect(await claimOf(verifier, source, await tokenOf(EC))).toMatchObject({ refusal: 'keys-unavailable' });
  await write(EC);
  expect(await claimOf(verifier, source, await tokenOf(EC))).toEqual({ claim: 'acme' });
});

test('a request without a bearer token names no tenant', async () => {
  const { source } = await keyFile(EC);
  for (const head of [headWith(), headWith('Basic YWNtZTpzM2NyZXQ='), headWith('Bearerx y'), headWith('')]) {
    expect(await new TokenVerifier().claimOf(head, source)).toEqual({ claim: null });
  }
});

test('the scheme knows no case', async () => {
  const { source } = await keyFile(EC);
  const head = headWith(`bEARER   ${await tokenOf(EC)}`);
  expect(await new TokenVerifier().claimOf(head, source)).toEqual({ claim: 'acme' });
});

test('two bearer tokens are unverified, equal ones included', async () => {
  const { source } = await keyFile(EC);
  const credential = `Bearer ${await tokenOf(EC)}`;
  expect(await new TokenVerifier().claimOf(headWith(credential, credential), source)).toMatchObject({
    refusal: 'tenant-unverified',
  });
});

test.each([
  'Bearer',
  'Bearer ',
  'Bearer\tx',
  'Bearer x',
  'Bearer a b',
  'Bearer a.b.c',
  'Bearer ..',
  'Bearer \xff',
])('a malformed bearer token is a bad one, not none: %j', async (credential) => {
  const { source } = await keyFile(EC);
  expect(await new TokenVerifier().claimOf(headWith(credential), source)).toMatchObject({
    refusal: 'tenant-unverified',
  });
});

test('whatever the token, it is refused as unverified, in words that do not repeat it', async () => {
  const { source } = await keyFile(RSA, EC);
  const verifier = new TokenVerifier();
  const good = await tokenOf(EC);
  const part = fc.oneof(
    fc.constantFrom(...good.split('.')),
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
    fc
      .record(
        { alg: fc.constantFrom('ES256', 'none', 'HS256', 'x'), kid: fc.constantFrom('ec-1', 'rsa-1', 5) },
        {
          requiredKeys: [],
        },
      )
      .map((header) => Buffer.from(JSON.stringify(header)).toString('base64url')),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
      const token = `x${parts.join('.')}`;
      const answer = await claimOf(verifier, source, token);
      expect(answer).toMatchObject({ refusal: 'tenant-unverified' });
      if (token.length > 8) expect(JSON.stringify(answer)).not.toContain(token);
    }),
    { numRuns: 300 },
  );
});

test('a bad token refuses the request even where another source names a tenant', async () => {
  const { source } = await keyFile(EC);
  const sources = [
    { kind: 'header' as const, name: 'x-tenant-id', trusted: false },
    { kind: 'jwt' as const, jwt: source },
  ];
  const head = headOf({
    headers: [
      ['x-tenant-id', 'acme'],
      ['authorization', 'Bearer x'],
    ],
  });
  expect(await findTenant(head, { ...FLEET, sources }, new TokenVerifier())).toMatchObject({
    refusal: 'tenant-unverified',
  });
});

test('a token and a header have to name the same tenant', async () => {
  const { source } = await keyFile(EC);
  const sources = [
    { kind: 'jwt' as const, jwt: source },
    { kind: 'header' as const, name: 'x-tenant-id', trusted: false },
  ];
  const authorization = `Bearer ${await tokenOf(EC)}`;
  const outcome = async (tenant: string) =>
    await findTenant(
      headOf({
        headers: [
          ['authorization', authorization],
          ['x-tenant-id', tenant],
        ],
      }),
      { ...FLEET, sources },
      new TokenVerifier(),
    );
  expect(await outcome('acme')).toEqual({ tenant: 'acme' });
  expect(await outcome('beta')).toMatchObject({ refusal: 'tenant-conflict' });
});

test('a verified claim still has to be a tenant ID', async () => {
  const { source } = await keyFile(EC);
  const head = headWith(`Bearer ${await tokenOf(EC, { claims: { tid: 'a b' } })}`);
  const sources = [{ kind: 'jwt' as const, jwt: source }];
  expect(await findTenant(head, { ...FLEET, sources }, new TokenVerifier())).toMatchObject({
    refusal: 'tenant-invalid',
  });
});
