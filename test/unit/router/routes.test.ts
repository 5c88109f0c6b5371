// Paths that are treated unlike all others, and the one that is not for clients.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isCellgatePath, routeOf } from '../../../router/routes.ts';
import { fleetFrom, PAIR } from './fleet/fleets.ts';

const { routes } = fleetFrom({
  ...PAIR,
  routes: [{ path: '/docs' }, { path: '/docs/private/' }, { path: '/login', tenantless: 'cell-a' }],
});

test.each([
  ['/docs', '/docs'],
  ['/docs/', '/docs'],
  ['/docs/a/b', '/docs'],
  ['/docs/private', '/docs/private'],
  ['/docs/private/x', '/docs/private'],
  ['/docs/privates', '/docs'],
  ['/docsx', null],
  ['/doc', null],
  ['/', null],
  ['', null],
  ['/Docs', null],
  ['//docs', null],
  ['/x/docs', null],
])('the path %s is of the route %s', (path, route) => {
  expect(routeOf(path, routes)?.path ?? null).toBe(route);
});

test('a route for / takes all that no longer one takes', () => {
  const { routes } = fleetFrom({ ...PAIR, routes: [{ path: '/' }, { path: '/docs' }] });
  expect([routeOf('/x', routes)?.path, routeOf('/docs/x', routes)?.path]).toEqual(['/', '/docs']);
});

test.each([
  '/.cellgate',
  '/.cellgate/',
  '/.cellgate/serving',
  '/.cellgate//serving',
  '//.cellgate',
  '///.cellgate/x',
  '/./.cellgate',
  '/././/.cellgate',
  '/a/../.cellgate',
  '/a/b/../../.cellgate',
  '/../../.cellgate',
  '/a//../.cellgate',
  '/.cellgate//..',
  '/.cellgate/x/../..',
  '/.CELLGATE',
  '/.Cellgate/Serving',
  '/%2ecellgate',
  '/%2Ecellgate',
  '/.%63%65%6c%6c%67%61%74%65',
  '/%2e%63ellgate',
  '/%252ecellgate',
  '/%25252e%252563ellgate',
  '/%2e/.cellgate',
  '/a/%2e%2e/.cellgate',
  '/a%2f..%2f.cellgate',
  '/a/%252e%252e/.cellgate',
  '%2f.cellgate',
  '\\.cellgate',
  '/\\.cellgate',
  '/a\\..\\.cellgate',
  '/a%5c..%5c.cellgate',
  '/.cellgate\\serving',
  '/.cellgate;x',
  '/.cellgate;x=1/serving',
  '/.cellgate;%0ax',
  '/.cellgate/..;/x',
  '/a/..;/.cellgate',
  '/;x/.cellgate',
  '/.cellgate%3fx',
  '/.cellgate%23x',
  '/.cellgate#x',
  '/.cellgate%00',
  '/%00.cellgate',
  '/.cell%00gate',
  '/.cellgate%20',
  '/%u002ecellgate',
  '/%uff0ecellgate',
  '/%c0%aecellgate',
  '/%ef%bc%8ecellgate',
  '/.%63%C1%A5llgate',
  `/%${'25'.repeat(12)}2ecellgate`,
  '/ .cellgate',
  '/.cellgate%09',
  '/.cellgate%0d%0a',
])('%s is for nobody but the router', (path) => {
  expect(isCellgatePath(path)).toBe(true);
});

test.each([
  '/',
  '',
  '/cellgate',
  '/v1.0/x%20y',
  '/.well-known/x',
  '/a.cellgate',
  '/a/.cellgate',
  '/files/.cellgate/config',
  '/.cellgatex',
  '/.cellgate.txt',
  '/.cellgate-x',
  '/..cellgate',
  '/.cell/gate',
  '/cellgate/../x',
  '/%',
  '/%zz',
  '/100%25/.hidden',
  '/..',
  '/a/..',
  '/%2e%2e/',
  '/search;q=.cellgate',
])('%s is an ordinary path', (path) => {
  expect(isCellgatePath(path)).toBe(false);
});

test('no encoding of any of its characters hides the path', () => {
  const encoded = (char: string, way: number): string => {
    const hex = char.charCodeAt(0).toString(16).padStart(2, '0');
    return (
      [char, char.toUpperCase(), `%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`, `%2525${hex}`][way % 6] ??
      char
    );
  };
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 9, maxLength: 9 }), (ways) => {
      const name = Array.from('.cellgate', (char, i) => encoded(char, ways[i] ?? 0)).join('');
      expect(isCellgatePath(`/${name}/serving`)).toBe(true);
    }),
  );
});

test('what a URL parser resolves to the path is refused', () => {
  const parts = fc.constantFrom('.cellgate', '..', '.', '', 'a', '%2e', '%2E%2e', '.CELLGATE', '%2ecellgate');
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 8 }), (segments) => {
      const path = `/${segments.join('/')}`;
      const { pathname } = new URL(`http://cell.test${path}`);
      if (/^\/(\.|%2e)cellgate(\/|$)/i.test(pathname)) expect(isCellgatePath(path)).toBe(true);
    }),
  );
});

test('any bytes are answered', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (path) => typeof isCellgatePath(`/${path}`) === 'boolean'),
  );
});
