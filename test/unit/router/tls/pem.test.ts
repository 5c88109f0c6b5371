// PEM text: what a bundle holds, when the first of it ends, and which key belongs to which certificate.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expiresAtMs, matches } from '../../../../router/tls/pem-files.ts';
import { makeAuthority, pemFolder } from '../../../support/certificates.ts';

const DAY_MS = 86_400_000;

test('a bundle ends when the first of its certificates does', () => {
  const authority = makeAuthority(pemFolder(), 'ca', 30);
  const leaf = authority.issue('leaf', { days: 3 });
  const pem = (...paths: string[]): Buffer => Buffer.concat(paths.map((path) => readFileSync(path)));
  const inDays = (content: Buffer): number => Math.round((expiresAtMs(content) - Date.now()) / DAY_MS);
  expect(inDays(pem(authority.certificate))).toBe(30);
  expect(inDays(pem(leaf.certificate))).toBe(3);
  expect(inDays(pem(authority.certificate, leaf.certificate))).toBe(3);
  expect(inDays(pem(leaf.key, leaf.certificate, authority.certificate))).toBe(3);
});

test.each([
  ['nothing', ''],
  ['text', 'no certificate'],
  ['a certificate that is cut off', '-----BEGIN CERTIFICATE-----\nMIIB'],
  ['a certificate that is none', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
])('%s has no end', (_, text) => {
  expect(() => expiresAtMs(Buffer.from(text))).toThrow(/^(holds|is not whole)/);
});

test('a key belongs to the first certificate of a chain', () => {
  const authority = makeAuthority(pemFolder());
  const [one, other] = [authority.issue('one'), authority.issue('other')];
  const chain = Buffer.concat([readFileSync(one.certificate), readFileSync(authority.certificate)]);
  expect(matches(chain, readFileSync(one.key))).toBe(true);
  expect(matches(chain, readFileSync(other.key))).toBe(false);
  expect(() => matches(chain, readFileSync(one.certificate))).toThrow('holds no key');
});
