// What a sound fleet file becomes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FleetFileError, loadFleet } from '../../../../router/fleet/load.ts';
import { fleetFrom, PAIR, PAIR_TEXT, withCellA } from './fleets.ts';

async function fileWith(content: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-fleet-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const path = join(folder, 'fleet.yaml');
  await writeFile(path, content);
  return path;
}

test('origins and generations are enough: all else has a default', () => {
  const fleet = fleetFrom(PAIR);
  expect(fleet.sources).toEqual([{ kind: 'header', name: 'x-tenant-id', trusted: false }]);
  expect(fleet.routes).toEqual([]);
  expect(fleet.cells.get('cell-a')).toEqual({
    id: 'cell-a',
    origin: 'http://127.0.0.1:4101',
    zone: null,
    capacity: { concurrency: 512, rps: 4000, tunnels: 10_000 },
    tags: {},
  });
});

test('the example that ships with the project is a sound one', () => {
  expect([...loadFleet('infra/fleet.yaml').cells.keys()].length).toBeGreaterThan(1);
});

test('a file is loaded from its path, and relative paths in it are next to it', async () => {
  const jwt = { claim: 'tid', issuer: 'i', audience: 'a', jwks: 'keys.json', algorithms: ['RS256'] };
  const path = await fileWith(`${PAIR_TEXT}\ntenant: [{ jwt: ${JSON.stringify(jwt)} }]\n`);
  expect(loadFleet(path).sources).toEqual([
    { kind: 'jwt', jwt: { ...jwt, jwks: path.replace('fleet.yaml', 'keys.json') } },
  ]);
});

test('keys at a URL stay where they are', () => {
  const jwt = { claim: 'tid', issuer: 'i', audience: 'a', jwks: 'http://idp/keys', algorithms: ['ES256'] };
  expect(fleetFrom({ ...PAIR, tenant: [{ jwt }] }).sources).toEqual([{ kind: 'jwt', jwt }]);
});

test('a file that is not there is told with its path', () => {
  expect(() => loadFleet('/nowhere/fleet.yaml')).toThrow(
    new FleetFileError([{ path: '', problem: '/nowhere/fleet.yaml: can not be read (ENOENT)' }]),
  );
});

test('bytes that are not UTF-8 are refused instead of becoming another tenant', async () => {
  const path = await fileWith(Buffer.from(`${PAIR_TEXT}\npins: { caf\xe9: cell-a }\n`, 'latin1'));
  expect(() => loadFleet(path)).toThrow('can not be read (not UTF-8)');
});

test('a byte order mark at the start of the file is no part of it', async () => {
  const path = await fileWith(`\ufeff${PAIR_TEXT}`);
  expect(loadFleet(path).digest).toBe(fleetFrom(PAIR).digest);
});

test.each(['007', '0x10', '1e3', 'true', 'null', '~', '__proto__', 'constructor', 'ünï-テナント', '1.50'])(
  'the tenant %s can be pinned, as it is written',
  (tenant) => {
    const fleet = fleetFrom(`${PAIR_TEXT}\npins:\n  ${tenant}: cell-b\n  "other": cell-a\n`);
    expect(fleet.placement.locate(tenant)).toMatchObject({ home: 'cell-b', pin: 'cell-b' });
  },
);

test('a tenant 007 is not the tenant 7', () => {
  const fleet = fleetFrom(`${PAIR_TEXT}\npins: { 007: cell-a, 7: cell-b }\n`);
  expect(fleet.placement.locate('007').home).toBe('cell-a');
  expect(fleet.placement.locate('7').home).toBe('cell-b');
});

test('a tenant named like a property of every object has no pin by itself', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect(fleetFrom(PAIR).placement.locate(name).pin).toBeNull();
  }
});

test('a cell named like a property of every object is a cell like any other', () => {
  const cells = { constructor: { origin: 'http://127.0.0.1:4101' } };
  const fleet = fleetFrom({ cells, generations: [{ add: ['constructor'] }] });
  expect(fleet.placement.locate('acme').home).toBe('constructor');
});

test('aliases stand for what their anchors say, in cells and in pins', () => {
  const fleet = fleetFrom(`cells:
  cell-a: { origin: "http://127.0.0.1:4101", capacity: &size { concurrency: 9 } }
  cell-b: { origin: "http://127.0.0.1:4102", capacity: *size }
generations: [{ add: [&a cell-a, cell-b] }]
pins: { acme: *a, beta: &unsettled { cell: cell-b, settled: false }, gamma: *unsettled }
`);
  expect(fleet.cells.get('cell-b')?.capacity.concurrency).toBe(9);
  expect(fleet.placement.locate('acme').pin).toBe('cell-a');
  expect(fleet.placement.locate('gamma').pin).toBe('cell-b');
});

test('an empty mapping of pins is none', () => {
  expect(fleetFrom(`${PAIR_TEXT}\npins:\n`).digest).toBe(fleetFrom(PAIR).digest);
});

test('an origin is normalised', () => {
  for (const [written, origin] of [
    ['http://LOCALHOST:4101/', 'http://localhost:4101'],
    ['http://localhost', 'http://localhost'],
    ['http://localhost:80', 'http://localhost'],
    ['http://[::1]:04101', 'http://[::1]:4101'],
    ['https://LOCALHOST:443/', 'https://localhost'],
    ['https://localhost:80', 'https://localhost:80'],
  ]) {
    expect(fleetFrom(withCellA({ origin: written })).cells.get('cell-a')?.origin).toBe(origin);
  }
});

test('each kind of source is understood', () => {
  const tenant = [
    { header: 'X-Org', trusted: true },
    { subdomain: 'Example.COM' },
    { path: '/api/:tenant/v1' },
  ];
  expect(fleetFrom({ ...PAIR, tenant }).sources).toEqual([
    { kind: 'header', name: 'x-org', trusted: true },
    { kind: 'subdomain', base: 'example.com' },
    { kind: 'path', segments: ['api', ':tenant', 'v1'], tenantAt: 1 },
  ]);
});

test('routes are ordered longest path first, without the slash at their end', () => {
  const routes = [
    { path: '/', timeoutMs: 5 },
    { path: '/docs/', tenantless: { hash: 'client-address' } },
    { path: '/docs/private', tenantless: 'cell-a' },
  ];
  expect(fleetFrom({ ...PAIR, routes }).routes).toEqual([
    { path: '/docs/private', tenantless: { cell: 'cell-a' }, timeoutMs: null },
    { path: '/docs', tenantless: { hash: 'client-address' }, timeoutMs: null },
    { path: '/', tenantless: null, timeoutMs: 5 },
  ]);
});

test('the order of keys changes neither the digest nor the placement', () => {
  const pins = { acme: 'cell-a', beta: 'cell-b', '42': 'cell-a' };
  const one = fleetFrom({ ...PAIR, pins });
  const other = fleetFrom({
    pins: { beta: 'cell-b', '42': 'cell-a', acme: 'cell-a' },
    generations: PAIR.generations,
    cells: { 'cell-b': PAIR.cells['cell-b'], 'cell-a': PAIR.cells['cell-a'] },
  });
  expect(other.digest).toBe(one.digest);
  for (let i = 0; i < 500; i += 1) {
    expect(other.placement.locate(`t${i}`)).toEqual(one.placement.locate(`t${i}`));
  }
});

test('what is written out and what is left to its default is the same fleet', () => {
  expect(fleetFrom(withCellA({ weight: 1, tags: {} })).digest).toBe(fleetFrom(PAIR).digest);
});

test.each([
  ['a weight', withCellA({ weight: 2 })],
  ['an origin', withCellA({ origin: 'http://127.0.0.1:4109' })],
  ['a capacity', withCellA({ capacity: { concurrency: 1 } })],
  ['a pin', { ...PAIR, pins: { acme: 'cell-a' } }],
  ['a route', { ...PAIR, routes: [{ path: '/login', tenantless: 'cell-a' }] }],
  ['a source', { ...PAIR, tenant: [{ subdomain: 'example.com' }] }],
  ['the history', { ...PAIR, generations: [{ add: ['cell-a'] }, { add: ['cell-b'] }] }],
])('%s that is another one changes the digest', (_, file) => {
  expect(fleetFrom(file).digest).not.toBe(fleetFrom(PAIR).digest);
});

test('the digest tells pins of __proto__ apart', () => {
  const digests = ['', '__proto__: cell-a', '__proto__: cell-b'].map(
    (pin) => fleetFrom(`${PAIR_TEXT}\npins: { ${pin} }\n`).digest,
  );
  expect(new Set(digests).size).toBe(3);
});

test('ten thousand pins are taken', () => {
  const pins = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`tenant-${i}`, 'cell-b']));
  expect(fleetFrom({ ...PAIR, pins }).placement.locate('tenant-9999').pin).toBe('cell-b');
});
