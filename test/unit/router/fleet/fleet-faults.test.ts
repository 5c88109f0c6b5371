// What a wrong fleet file is refused with: each fault at its place, all of them at once.
import { expect, test } from 'vitest';
import { fleetFrom, linesOf, PAIR, PAIR_TEXT, placesOf, withCellA } from './fleets.ts';

const JWT = { claim: 'tid', issuer: 'i', audience: 'a', jwks: 'keys.json', algorithms: ['RS256'] };

test('a sound file has no faults', () => {
  expect(linesOf(PAIR)).toEqual([]);
});

test.each([
  ['the file', { ...PAIR, colour: 'red' }, 'colour'],
  ['a cell', withCellA({ colour: 'red' }), 'cells.cell-a.colour'],
  ['a capacity', withCellA({ capacity: { cpu: 1 } }), 'cells.cell-a.capacity.cpu'],
  ['a generation', { ...PAIR, generations: [{ ...PAIR.generations[0], when: 'now' }] }, 'generations.0.when'],
  ['a source', { ...PAIR, tenant: [{ header: 'x-a', strict: true }] }, 'tenant.0.strict'],
  ['a token source', { ...PAIR, tenant: [{ jwt: { ...JWT, key: 'x' } }] }, 'tenant.0.jwt.key'],
  ['the failover', { ...PAIR, failover: { mode: 'x' } }, 'failover.mode'],
  ['a route', { ...PAIR, routes: [{ path: '/a', method: 'GET' }] }, 'routes.0.method'],
  ['a pin', { ...PAIR, pins: { acme: { cell: 'cell-a', since: 1 } } }, 'pins.acme.since'],
])('an unknown key in %s is told with the known ones', (_, file, place) => {
  const lines = linesOf(file);
  expect(lines).toEqual([expect.stringMatching(/: unknown key \(allowed: [a-z, A-Z]+\)$/)]);
  expect(lines[0]?.startsWith(`${place}: `)).toBe(true);
});

test('an unknown section is told with every section there is', () => {
  expect(linesOf({ ...PAIR, colour: 'red' })).toEqual([
    'colour: unknown key (allowed: tenant, failover, allowSharedNeighbour, cells, generations, routes, rateLimit, pins)',
  ]);
});

test('several unknown keys of one mapping are a fault each', () => {
  expect(placesOf(withCellA({ colour: 1, size: 2 }))).toEqual(['cells.cell-a.colour', 'cells.cell-a.size']);
});

test('a cell declared twice is told once, with its name', () => {
  const twice = PAIR_TEXT.replace('cell-b:', 'cell-a:').replace('- cell-b', '- cell-a2');
  expect(linesOf(twice)).toContain('cells.cell-a: declared twice (allowed: once)');
});

test.each([
  ['a pin', `${PAIR_TEXT}\npins:\n  acme: cell-a\n  acme: cell-b\n`, 'pins.acme'],
  ['a section', `${PAIR_TEXT}\ngenerations: [{ add: [cell-a] }]\n`, 'generations'],
  ['a key in a list', `${PAIR_TEXT}\nroutes: [{ path: /a }, { path: /b, path: /c }]\n`, 'routes.1.path'],
])('%s declared twice is told with its place', (_, file, place) => {
  expect(linesOf(file)).toEqual([`${place}: declared twice (allowed: once)`]);
});

test('a neighbour that is the cell itself is refused', () => {
  expect(linesOf(withCellA({ neighbour: 'cell-a' }))).toEqual([
    expect.stringMatching(/^cells\.cell-a\.neighbour: .*itself.*\(allowed: .+\)$/),
  ]);
});

test.each(['cell-z', 'constructor', 'tostring'])('a neighbour %s that does not exist is refused', (name) => {
  expect(linesOf(withCellA({ neighbour: name }))).toEqual([
    `cells.cell-a.neighbour: ${name} is not declared (allowed: a cell declared under cells)`,
  ]);
});

test('a generation that names an undeclared cell is refused at the name', () => {
  const generations = [{ add: ['cell-a', 'cell-b', 'cell-z'] }, { remove: ['cell-y'] }];
  expect(placesOf({ ...PAIR, generations })).toEqual(['generations.0.add.2', 'generations.1.remove.0']);
});

test('a pin to an undeclared cell is refused', () => {
  expect(linesOf({ ...PAIR, pins: { acme: 'cell-z', beta: { cell: 'cell-y' } } })).toEqual([
    'pins.acme: cell-z is not declared (allowed: a cell declared under cells)',
    'pins.beta: cell-y is not declared (allowed: a cell declared under cells)',
  ]);
});

test.each([0, -1, 0.0001, 1.2345, 1e-10, 1.000_000_000_1, 1000.001, 1001, '1', true, null, [1]])(
  'a weight of %j is refused, at joining and later',
  (weight) => {
    const generations = [...PAIR.generations, { reweight: { 'cell-b': weight } }];
    const file = { ...(withCellA({ weight }) as object), generations };
    expect(placesOf(file)).toEqual(['cells.cell-a.weight', 'generations.1.reweight.cell-b']);
    expect(linesOf(file)[0]).toMatch(/\(allowed: above 0, at most 1000, three decimals\)$/);
  },
);

test.each([0.001, 0.1, 0.125, 1, 2.5, 999.999, 1000])('a weight of %j is taken', (weight) => {
  expect(linesOf(withCellA({ weight }))).toEqual([]);
});

test.each(['.inf', '-.inf', '.nan'])('a weight of %s is refused', (weight) => {
  expect(placesOf(PAIR_TEXT.replace('4101', `4101\n    weight: ${weight}`))).toEqual(['cells.cell-a.weight']);
});

test.each([0, 65_536, 99_999])('port %i is out of range', (port) => {
  expect(linesOf(withCellA({ origin: `http://127.0.0.1:${port}` }))).toEqual([
    `cells.cell-a.origin: port ${port} is out of range (allowed: http://host:port or https://host:port, port 1–65535)`,
  ]);
});

test.each([
  '',
  'localhost:4101',
  'httpss://localhost:4101',
  'https:/localhost:4101',
  'ftp://localhost',
  'http://',
  'http://:4101',
  'http://localhost:',
  'http://localhost:-1',
  'http://localhost:port',
  'http://localhost:4101/api',
  'http://localhost:4101?x',
  'http://localhost:4101#x',
  'http://user:secret@localhost:4101',
  'http://local host:4101',
  'http://localhost:4101\n',
  'http://999.1.1.1:4101',
  `http://localhost:${'9'.repeat(1000)}`,
  4101,
  null,
])('%j is no origin', (origin) => {
  const [line, ...others] = linesOf(withCellA({ origin }));
  expect(line).toMatch(/^cells\.cell-a\.origin: .+ \(allowed: http:\/\/host:port.*\)$/);
  expect(line).not.toContain('secret');
  expect(others).toEqual([]);
});

test('a cell without an origin is refused', () => {
  expect(placesOf({ ...PAIR, cells: { ...PAIR.cells, 'cell-a': {} } })).toEqual(['cells.cell-a.origin']);
});

test.each(['http://127.1:4102/', 'https://127.0.0.1:4102'])(
  'two cells behind one address are refused, however it is written: %s',
  (origin) => {
    expect(linesOf(withCellA({ origin }))).toEqual([
      'cells.cell-b.origin: the same as that of cell-a (allowed: its own)',
    ]);
  },
);

test.each(['Cell-A', 'cell_a', '-a', 'a-', '1a', 'a.b', 'a b', 'ä', 'a'.repeat(64), ''])(
  '"%s" is no name for a cell',
  (name) => {
    const cells = { ...PAIR.cells, [name]: { origin: 'http://127.0.0.1:4103' } };
    expect(linesOf({ ...PAIR, cells })).toEqual([
      expect.stringMatching(/^cells\..*not a cell name \(allowed: a lower-case DNS label, .+\)$/),
    ]);
  },
);

test('a reserved name would be lost as data, so it is refused wherever it stands', () => {
  const tagged = PAIR_TEXT.replace('4101', '4101\n    tags: { __proto__: x }');
  expect(linesOf(tagged)).toEqual(['cells.cell-a.tags.__proto__: reserved (allowed: any other name)']);
  const cells = PAIR_TEXT.replace('cell-a:', '__proto__: { origin: "http://h:1" }\n  cell-a:');
  expect(linesOf(cells)).toEqual(['cells.__proto__: reserved (allowed: any other name)']);
  const history = `${PAIR_TEXT.trimEnd()}\n  - reweight: { __proto__: 2, cell-a: 2 }\n`;
  expect(linesOf(history)).toEqual(['generations.1.reweight.__proto__: reserved (allowed: any other name)']);
});

test.each([{ cookie: 'session' }, {}, 'header', 5, null, ['x'], { header: 'x-a', path: '/t/:tenant' }])(
  '%j is no tenant source',
  (source) => {
    expect(linesOf({ ...PAIR, tenant: [source] })).toEqual([
      'tenant.0: not a tenant source (allowed: one of header, subdomain, path, jwt)',
    ]);
  },
);

test('a header source needs a name that reaches the router and that a cell can not confuse', () => {
  for (const header of ['x_tenant', 'x tenant', '', 'x:y', 'ü', 'x-cell-id', 'X-Cell-Tenant', 5]) {
    expect(placesOf({ ...PAIR, tenant: [{ header }] })).toEqual(['tenant.0.header']);
  }
});

test('a path source needs one tenant and literal segments', () => {
  for (const path of [
    '/t',
    't/:tenant',
    '/:tenant/:tenant',
    '/t/:other',
    '/t/:tenant/',
    '/a b/:tenant',
    '',
  ]) {
    expect(placesOf({ ...PAIR, tenant: [{ path }] })).toEqual(['tenant.0.path']);
  }
});

test.each(['none', 'HS256', 'HS512', 'rs256', '', 5])('algorithm %j is not for tokens', (algorithm) => {
  expect(linesOf({ ...PAIR, tenant: [{ jwt: { ...JWT, algorithms: ['RS256', algorithm] } }] })).toEqual([
    expect.stringMatching(
      /^tenant\.0\.jwt\.algorithms\.1: not an algorithm for this \(allowed: RS256, .+\)$/,
    ),
  ]);
});

test('a token source needs all of its parts', () => {
  expect(placesOf({ ...PAIR, tenant: [{ jwt: {} }] })).toEqual([
    'tenant.0.jwt.claim',
    'tenant.0.jwt.issuer',
    'tenant.0.jwt.audience',
    'tenant.0.jwt.jwks',
    'tenant.0.jwt.algorithms',
  ]);
});

test('a token source without any algorithm is refused', () => {
  expect(placesOf({ ...PAIR, tenant: [{ jwt: { ...JWT, algorithms: [] } }] })).toEqual([
    'tenant.0.jwt.algorithms',
  ]);
});

test.each(['', 'http://', 'https:/keys', 'http://a b/'])('%j is no place for keys', (jwks) => {
  expect(placesOf({ ...PAIR, tenant: [{ jwt: { ...JWT, jwks } }] })).toEqual(['tenant.0.jwt.jwks']);
});

test('an empty list of sources is refused', () => {
  expect(placesOf({ ...PAIR, tenant: [] })).toEqual(['tenant']);
});

test('a route is refused for its path, its target and its time-out', () => {
  const routes = [
    { path: 'login' },
    { path: '/a?b' },
    { path: '/a b' },
    { path: '/c', tenantless: 'cell-z' },
    { path: '/d', tenantless: { hash: 'cookie' } },
    { path: '/e', timeoutMs: 0 },
    { path: '/e/' },
  ];
  expect(placesOf({ ...PAIR, routes }).sort()).toEqual([
    'routes.0.path',
    'routes.1.path',
    'routes.2.path',
    'routes.3.tenantless',
    'routes.4.tenantless.hash',
    'routes.5.timeoutMs',
    'routes.6.path',
  ]);
});

test('a route to a cell that has left the fleet is refused', () => {
  const generations = [...PAIR.generations, { remove: ['cell-b'] }];
  expect(linesOf({ ...PAIR, generations, routes: [{ path: '/x', tenantless: 'cell-b' }] })).toEqual([
    'routes.0.tenantless: cell-b is no member any more (allowed: cell-a)',
  ]);
});

test('a pin of what is no tenant ID is refused', () => {
  const pins = { 'a b': 'cell-a', 'a,b': 'cell-a', '': 'cell-a', ['x'.repeat(129)]: 'cell-a' };
  expect(linesOf({ ...PAIR, pins })).toEqual(
    Object.keys(pins).map((tenant) => expect.stringContaining(`pins.${tenant}: not a tenant ID (allowed: `)),
  );
});

test.each([5, null, [], true])('%j is no pin', (pin) => {
  expect(linesOf({ ...PAIR, pins: { acme: pin } })).toEqual([
    'pins.acme: not a pin (allowed: a cell name, or { cell, settled })',
  ]);
});

test('only what exists can be required of a failover', () => {
  expect(linesOf({ ...PAIR, failover: { requires: 'luck' } })).toEqual([
    'failover.requires: not a requirement (allowed: none, standby)',
  ]);
});

test('capacities are whole and positive', () => {
  expect(placesOf(withCellA({ capacity: { concurrency: 0, rps: 1.5, tunnels: 'many' } }))).toEqual([
    'cells.cell-a.capacity.concurrency',
    'cells.cell-a.capacity.rps',
    'cells.cell-a.capacity.tunnels',
  ]);
});

test('ten faults of all kinds are ten lines, each with its place and what is allowed', () => {
  const file = `
tenant: [{ header: x_y }]
colour: red
cells:
  cell-a: { origin: "http://127.0.0.1:99999", neighbour: cell-z }
  cell-b: { origin: "http://127.0.0.1:4102", weight: 0 }
  cell-c: { origin: "http://127.0.0.1:4102", neighbour: cell-c }
  cell-c: { origin: "http://127.0.0.1:4103" }
generations:
  - { add: [cell-a, cell-b, cell-d] }
pins: { acme: cell-y }
routes: [{ path: /x, tenantless: cell-x }]
`;
  const lines = linesOf(file);
  for (const line of lines) expect(line).toMatch(/^[\w.-]+: .+ \(allowed: .+\)$/);
  expect(placesOf(file).sort()).toEqual([
    'cells.cell-a.neighbour',
    'cells.cell-a.origin',
    'cells.cell-b.weight',
    'cells.cell-c',
    'colour',
    'generations.0.add.2',
    'pins.acme',
    'routes.0.tenantless',
    'tenant.0.header',
  ]);
  const without = file.replace('  cell-c: { origin: "http://127.0.0.1:4103" }\n', '');
  expect(placesOf(without)).toEqual(
    expect.arrayContaining(['cells.cell-c.neighbour', 'cells.cell-c.origin']),
  );
  expect(placesOf(without)).toHaveLength(10);
});

test('a fault brings no others that only follow from it', () => {
  const cells = { 'Cell-A': PAIR.cells['cell-a'], 'cell-b': PAIR.cells['cell-b'] };
  expect(placesOf({ cells, generations: [{ add: 'cell-b' }], pins: { acme: 'cell-b' } })).toEqual([
    'cells.Cell-A',
    'generations.0.add',
  ]);
});

test('a fault is one line whatever was written', () => {
  const file = { ...(withCellA({ 'a\nb': 1 }) as object), pins: { 'x\u2028y\u0007': 'cell-a' } };
  const lines = linesOf(file);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).not.toMatch(/[\p{C}\p{Zl}]/u);
  expect(lines.join()).toContain('cells.cell-a.a\\u{a}b: ');
});

test('nothing is half loaded: a file with one fault gives no fleet', () => {
  expect(() => fleetFrom(withCellA({ weight: 0 }))).toThrow('cells.cell-a.weight: out of range');
});
