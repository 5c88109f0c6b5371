// Whose request it is, by header, sub-domain and path; tokens have a file of their own.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TenantSource } from '../../../router/fleet/fleet.ts';
import type { RequestHead } from '../../../router/request-head.ts';
import { findTenant, type TenantAnswer } from '../../../router/tenant.ts';
import { isTenantId } from '../../../router/tenant-id.ts';
import { TokenVerifier } from '../../../router/token.ts';
import { fleetFrom, PAIR } from './fleet/fleets.ts';
import { asLatin1, headOf } from './heads.ts';

const FLEET = fleetFrom(PAIR);
const HEADER: TenantSource = { kind: 'header', name: 'x-tenant-id', trusted: false };
const TRUSTED: TenantSource = { kind: 'header', name: 'x-org', trusted: true };
const SUBDOMAIN: TenantSource = { kind: 'subdomain', base: 'example.com' };
const PATH: TenantSource = { kind: 'path', segments: ['t', ':tenant'], tenantAt: 1 };

function found(head: RequestHead, ...sources: TenantSource[]): TenantAnswer {
  const answer = findTenant(head, { ...FLEET, sources }, new TokenVerifier());
  if (answer instanceof Promise) throw new Error('only tokens take time');
  return answer;
}

/** The tenant, or the code of the refusal. */
function outcome(head: RequestHead, ...sources: TenantSource[]): string {
  const answer = found(head, ...sources);
  return 'refusal' in answer ? answer.refusal : answer.tenant;
}

const withHeaders = (...values: string[]) =>
  headOf({ headers: values.map((value): [string, string] => ['X-Tenant-ID', value]) });

test('a header names the tenant, whatever its case', () => {
  for (const name of ['x-tenant-id', 'X-Tenant-Id', 'X-TENANT-ID']) {
    expect(outcome(headOf({ headers: [[name, 'acme']] }), HEADER)).toBe('acme');
  }
});

test('the tenant keeps its case', () => {
  expect(outcome(withHeaders('AcMe'), HEADER)).toBe('AcMe');
});

test('a header that only looks like it names nobody', () => {
  for (const name of ['x_tenant_id', 'x-tenant-id2', 'x-tenant', 'x-tenant-iD\u0130']) {
    expect(outcome(headOf({ headers: [[name, 'acme']] }), HEADER)).toBe('tenant-missing');
  }
});

test('a request that names no tenant is told so', () => {
  expect(outcome(headOf(), HEADER, SUBDOMAIN, PATH)).toBe('tenant-missing');
});

test.each([
  ['empty', ''],
  ['of 129 bytes', 'x'.repeat(129)],
  ['with a control character', 'a\u0001b'],
  ['with a tab', 'a\tb'],
  ['with a blank inside', 'a b'],
  ['with a comma, as of two merged headers', 'acme, beta'],
  ['not UTF-8', 'caf\xe9'],
  ['an overlong form', '\xc0\xae'],
])('a header that is %s is invalid, not missing', (_, value) => {
  expect(outcome(withHeaders(value), HEADER)).toBe('tenant-invalid');
});

test('128 bytes are not too many', () => {
  expect(outcome(withHeaders('x'.repeat(128)), HEADER)).toBe('x'.repeat(128));
  expect(outcome(withHeaders(asLatin1('ü'.repeat(64))), HEADER)).toBe('ü'.repeat(64));
});

test('a tenant beyond ASCII is read from its UTF-8 bytes', () => {
  expect(outcome(withHeaders(asLatin1('テナント')), HEADER)).toBe('テナント');
});

test('the same header twice with one value agrees', () => {
  expect(outcome(withHeaders('acme', 'acme'), HEADER)).toBe('acme');
});

test('the same header twice with two values is a conflict', () => {
  expect(outcome(withHeaders('acme', 'beta'), HEADER)).toBe('tenant-conflict');
});

test('values that differ in case alone are two tenants', () => {
  expect(outcome(withHeaders('acme', 'Acme'), HEADER)).toBe('tenant-conflict');
});

test('one malformed value among good ones makes the request invalid', () => {
  expect(outcome(withHeaders('acme', ''), HEADER)).toBe('tenant-invalid');
  expect(outcome(withHeaders('', 'acme', 'beta'), HEADER)).toBe('tenant-invalid');
});

test('sources that agree name the tenant', () => {
  const head = headOf({
    target: '/t/acme/orders',
    host: 'acme.example.com',
    headers: [['x-tenant-id', 'acme']],
  });
  expect(outcome(head, HEADER, SUBDOMAIN, PATH)).toBe('acme');
});

test('sources that disagree are a conflict, in any order', () => {
  const head = headOf({ target: '/t/beta', headers: [['x-tenant-id', 'acme']] });
  expect(outcome(head, HEADER, PATH)).toBe('tenant-conflict');
  expect(outcome(head, PATH, HEADER)).toBe('tenant-conflict');
});

test('a source that says nothing does not disagree', () => {
  expect(outcome(withHeaders('acme'), SUBDOMAIN, PATH, HEADER)).toBe('acme');
});

test('a trusted header counts from a trusted proxy alone', () => {
  const headers: [string, string][] = [['x-org', 'acme']];
  expect(outcome(headOf({ headers }), TRUSTED)).toBe('tenant-missing');
  expect(outcome(headOf({ headers, fromTrustedProxy: true }), TRUSTED)).toBe('acme');
});

test('a trusted header from anybody else can not even disagree', () => {
  const headers: [string, string][] = [
    ['x-org', 'beta'],
    ['x-tenant-id', 'acme'],
  ];
  expect(outcome(headOf({ headers }), TRUSTED, HEADER)).toBe('acme');
});

test.each([
  ['acme.example.com', 'acme'],
  ['acme.example.com:8080', 'acme'],
  ['acme.example.com.', 'acme'],
  ['acme.example.com.:8080', 'acme'],
  ['ACME.Example.COM', 'acme'],
  ['xn--bcher-kva.example.com', 'xn--bcher-kva'],
  ['example.com', 'tenant-missing'],
  ['example.com:8080', 'tenant-missing'],
  ['.example.com', 'tenant-missing'],
  ['a.b.example.com', 'tenant-missing'],
  ['acme.example.org', 'tenant-missing'],
  ['acme-example.com', 'tenant-missing'],
  ['acmeexample.com', 'tenant-missing'],
  ['acme.example.com.evil.org', 'tenant-missing'],
  ['acme.example.com..', 'tenant-missing'],
  ['127.0.0.1:8080', 'tenant-missing'],
  ['[::1]:8080', 'tenant-missing'],
  ['', 'tenant-missing'],
  ['user@acme.example.com', 'tenant-invalid'],
  ['a:1.example.com', 'tenant-invalid'],
  ['a%20b.example.com', 'tenant-invalid'],
  ['a b.example.com', 'tenant-invalid'],
  [asLatin1('ü.example.com'), 'tenant-invalid'],
  ['*.example.com', 'tenant-invalid'],
])('with the host "%s" the sub-domain gives %s', (host, expected) => {
  expect(outcome(headOf({ host }), SUBDOMAIN)).toBe(expected);
});

test.each([
  ['/t/acme', 'acme'],
  ['/t/acme/', 'acme'],
  ['/t/acme/orders/1', 'acme'],
  ['/t/acme?x=/t/beta', 'acme'],
  ['/t/%61cme', 'acme'],
  ['/t/%C3%BC', 'ü'],
  [asLatin1('/t/ü'), 'ü'],
  ['/t/a%2Fb', 'a/b'],
  ['/t/a+b', 'a+b'],
  ['/t/..', '..'],
  ['/t/', 'tenant-invalid'],
  ['/t//orders', 'tenant-invalid'],
  ['/t/%zz', 'tenant-invalid'],
  ['/t/%', 'tenant-invalid'],
  ['/t/%E0%A4%A', 'tenant-invalid'],
  ['/t/%ff', 'tenant-invalid'],
  ['/t/\xff', 'tenant-invalid'],
  ['/t/%00', 'tenant-invalid'],
  ['/t/a%0Ab', 'tenant-invalid'],
  ['/t/a%20b', 'tenant-invalid'],
  ['/t/a%2Cb', 'tenant-invalid'],
  [`/t/${'x'.repeat(129)}`, 'tenant-invalid'],
  ['/t', 'tenant-missing'],
  ['/', 'tenant-missing'],
  ['/T/acme', 'tenant-missing'],
  ['/x/t/acme', 'tenant-missing'],
  ['//t/acme', 'tenant-missing'],
  ['/%74/acme', 'tenant-missing'],
])('the path %s gives %s', (target, expected) => {
  expect(outcome(headOf({ target }), PATH)).toBe(expected);
});

test('a path source may have literal segments after the tenant', () => {
  const source: TenantSource = { kind: 'path', segments: ['orgs', ':tenant', 'api'], tenantAt: 1 };
  expect(outcome(headOf({ target: '/orgs/acme/api/x' }), source)).toBe('acme');
  expect(outcome(headOf({ target: '/orgs/acme/web' }), source)).toBe('tenant-missing');
  expect(outcome(headOf({ target: '/orgs/acme' }), source)).toBe('tenant-missing');
});

test('a refusal never repeats what the client sent', () => {
  for (const head of [withHeaders('s3cret value'), withHeaders('s3cret', 's3cret2')]) {
    expect(JSON.stringify(found(head, HEADER))).not.toContain('s3cret');
  }
});

test('whatever the bytes, there is a well-formed tenant or a refusal', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
  fc.assert(
    fc.property(bytes, bytes, bytes, (header, host, path) => {
      const head = headOf({
        headers: [['x-tenant-id', header]],
        host: `${host}.example.com`,
        path: `/t/${path}`,
      });
      for (const sources of [[HEADER], [SUBDOMAIN], [PATH], [HEADER, SUBDOMAIN, PATH]]) {
        const answer = found(head, ...sources);
        if ('tenant' in answer) expect(isTenantId(answer.tenant)).toBe(true);
      }
    }),
  );
});

test('a tenant is found again in the header that carries it', () => {
  const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter(isTenantId);
  fc.assert(
    fc.property(ids, (id) => {
      expect(outcome(withHeaders(asLatin1(id)), HEADER)).toBe(id);
      expect(outcome(headOf({ path: `/t/${encodeURIComponent(id)}` }), PATH)).toBe(id);
    }),
  );
});
