// Entity tags of orders, and which If-Match they satisfy.
import { expect, test } from 'vitest';
import { etagOf, matches, parseIfMatch } from '../../../../cell-template/orders/etag.ts';

const state = { epoch: 3, version: 7 };

test('the tag holds the epoch and the version', () => {
  expect(etagOf(state)).toBe('"3.7"');
});

test.each([
  ['the same tag', '"3.7"', true],
  ['any at all', '*', true],
  ['one of a list', '"1.1", "3.7"', true],
  ['one of a list with a comma in a tag', '"1,1","3.7"', true],
  ['another version', '"3.8"', false],
  ['another epoch', '"4.7"', false],
  ['the same tag, but weak', 'W/"3.7"', false],
])('%s: %s matches: %s', (_name, header, expected) => {
  const wanted = parseIfMatch(header);
  expect(wanted !== null && matches(wanted, state)).toBe(expected);
});

test.each(['', '3.7', '"3.7', '"3.7" "3.8"', '"3.7",', 'w/"3.7"'])('%j is no If-Match', (header) => {
  expect(parseIfMatch(header)).toBeNull();
});
