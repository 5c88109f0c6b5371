// The reason phrase of an answer.
import { expect, test } from 'vitest';
import { reasonOf } from '../../../router/reason.ts';

test('a reason phrase is the cell’s where it can be written', () => {
  expect([
    reasonOf(200, 'Fine'),
    reasonOf(200, ''),
    reasonOf(404, 'caf\ufffd'),
    reasonOf(299, 'a\rb'),
  ]).toEqual(['Fine', '', 'Not Found', '']);
});
