// What field names mean, in whatever case they come.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginsWith, FieldNames } from '../../../../router/forward/field-names.ts';

const NAMES = new FieldNames([
  ['host', 'own'],
  ['te', 'hop'],
  ['x-1_a', 'odd'],
]);

test.each([
  ['host', 'own'],
  ['HOST', 'own'],
  ['hOsT', 'own'],
  ['TE', 'hop'],
  ['X-1_A', 'odd'],
  ['x-1\u007fa', null],
  ['x\r1_a', null],
  ['hos', null],
  ['hosts', null],
  ['', null],
  ['__proto__', null],
])('%j means %s', (name, meaning) => {
  expect(NAMES.of(name)).toBe(meaning);
});

test.each([
  ['x-cell-', true],
  ['X-Cell-Id', true],
  ['x-cell', false],
  ['y-cell-id', false],
])('whether %j begins with a prefix: %s', (name, begins) => {
  expect(beginsWith(name, 'x-cell-')).toBe(begins);
});

test('a name is one of them exactly where its lower-case form is', () => {
  const known = ['connection', 'x-request-id', 'content-length', 'te', 'keep-alive'];
  const names = new FieldNames(known.map((name) => [name, name] as const));
  const cased = fc
    .tuple(fc.constantFrom(...known), fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }))
    .map(([name, upper]) => Array.from(name, (c, i) => (upper[i] === true ? c.toUpperCase() : c)).join(''));
  const mutated = fc
    .tuple(cased, fc.nat(13), fc.integer({ min: 0, max: 255 }))
    .map(([name, at, code]) => name.slice(0, at) + String.fromCharCode(code) + name.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(cased, mutated), (name) => {
      // Other than ASCII's letters nothing has a case here: header names are bytes.
      const lower = name.replace(/[A-Z]/g, (c) => c.toLowerCase());
      expect(names.of(name)).toBe(known.includes(lower) ? lower : null);
    }),
    { numRuns: 2_000 },
  );
});
