// The fleet file's rates: what they become, and what is wrong with them.
import { expect, test } from 'vitest';
import { fleetFrom, linesOf, PAIR, PAIR_TEXT, placesOf } from './fleets.ts';

const WHOLE = /\(allowed: a whole number, 1–10000000\)$/;

test('without a rate limit nobody is limited', () => {
  expect(fleetFrom(PAIR).rates).toEqual({ others: null, tenants: new Map() });
});

test('a rate holds for every tenant, and a tenant may have its own', () => {
  const rateLimit = { rps: 100, burst: 200, tenants: { acme: { rps: 500, burst: 900 } } };
  expect(fleetFrom({ ...PAIR, rateLimit }).rates).toEqual({
    others: { rps: 100, burst: 200 },
    tenants: new Map([['acme', { rps: 500, burst: 900 }]]),
  });
});

test('where no burst is declared it is what a second brings', () => {
  const rateLimit = { rps: 100, tenants: { acme: { rps: 500 } } };
  const { others, tenants } = fleetFrom({ ...PAIR, rateLimit }).rates;
  expect([others?.burst, tenants.get('acme')?.burst]).toEqual([100, 500]);
});

test('tenants alone may be limited', () => {
  const { others, tenants } = fleetFrom({ ...PAIR, rateLimit: { tenants: { acme: { rps: 5 } } } }).rates;
  expect([others, [...tenants.keys()]]).toEqual([null, ['acme']]);
});

test.each(['007', '0x10', '1e3', 'true', 'null', '~', '__proto__', 'constructor', 'ünï-テナント', '1.50'])(
  'a tenant %s is read as it is written',
  (tenant) => {
    const { tenants } = fleetFrom(`${PAIR_TEXT}\nrateLimit: { tenants: { ${tenant}: { rps: 5 } } }\n`).rates;
    expect([...tenants]).toEqual([[tenant, { rps: 5, burst: 5 }]]);
  },
);

test.each([0, -1, 1.5, 10_000_001, '5', null, true, [5]])('a rate of %j is refused wherever it is', (rps) => {
  const rateLimit = { rps, burst: rps, tenants: { acme: { rps, burst: rps } } };
  const lines = linesOf({ ...PAIR, rateLimit });
  const places = placesOf({ ...PAIR, rateLimit }).sort();
  expect(places).toEqual([
    'rateLimit.burst',
    'rateLimit.rps',
    'rateLimit.tenants.acme.burst',
    'rateLimit.tenants.acme.rps',
  ]);
  for (const line of lines) expect(line).toMatch(WHOLE);
});

test('every fault is told at once, each at its place', () => {
  const rateLimit = {
    burst: 5,
    colour: 'red',
    tenants: { 'a b': { rps: 1 }, acme: 5, bolt: { burst: 1 }, core: { rps: 1, x: 1 } },
  };
  expect(linesOf({ ...PAIR, rateLimit })).toEqual([
    'rateLimit.tenants.a b: not a tenant ID (allowed: 1–128 bytes of UTF-8, printable, no white space, no comma)',
    'rateLimit.tenants.acme: not a mapping (allowed: a mapping with rps, burst)',
    expect.stringMatching(/^rateLimit\.tenants\.bolt\.rps: not a whole number /),
    'rateLimit.tenants.core.x: unknown key (allowed: rps, burst)',
    'rateLimit.colour: unknown key (allowed: rps, burst, tenants)',
    'rateLimit.burst: there is no rps that it belongs to (allowed: beside rps)',
  ]);
});

test('a burst without the rate that it belongs to is refused', () => {
  expect(linesOf({ ...PAIR, rateLimit: { burst: 5 } })).toEqual([
    'rateLimit.burst: there is no rps that it belongs to (allowed: beside rps)',
  ]);
});

test.each([
  ['rateLimit', 5, 'not a mapping (allowed: a mapping with rps, burst, tenants)'],
  ['rateLimit.tenants', { tenants: [5] }, 'not a mapping (allowed: tenant: { rps, burst })'],
])('%s that is no mapping is refused', (path, rateLimit, problem) => {
  expect(linesOf({ ...PAIR, rateLimit })).toEqual([`${path}: ${problem}`]);
});

test('a tenant declared twice is told with its place', () => {
  const twice = `${PAIR_TEXT}\nrateLimit:\n  tenants:\n    acme: { rps: 1 }\n    acme: { rps: 2 }\n`;
  expect(linesOf(twice)).toEqual(['rateLimit.tenants.acme: declared twice (allowed: once)']);
});

test('a faulty rate hides no fault of another part', () => {
  const lines = linesOf({ ...PAIR, rateLimit: { rps: 0 }, pins: { acme: 'cell-z' } });
  expect(lines.map((line) => line.split(': ')[0])).toEqual(['rateLimit.rps', 'pins.acme']);
});

test('the digest tells rates apart, and not the order of their tenants', () => {
  const digestOf = (rateLimit: unknown): string => fleetFrom({ ...PAIR, rateLimit }).digest;
  const one = { acme: { rps: 1 }, bolt: { rps: 2 } };
  const turned = { bolt: { rps: 2 }, acme: { rps: 1 } };
  expect(digestOf({ tenants: one })).toBe(digestOf({ tenants: turned }));
  expect(digestOf({ tenants: one })).not.toBe(digestOf({ tenants: { ...one, bolt: { rps: 3 } } }));
  expect(digestOf({ rps: 1 })).not.toBe(digestOf({ rps: 2 }));
});
