// The text tables of the command line.
import { expect, test } from 'vitest';
import { table } from '../../../infra/table.ts';

test('columns are as wide as their widest cell and no line ends in spaces', () => {
  const text = table(
    ['cell', 'url'],
    [
      ['cell-a', 'http://x'],
      ['b', ''],
    ],
  );
  expect(text.split('\n')).toEqual(['cell    url', 'cell-a  http://x', 'b']);
});

test('a table without rows is its head', () => {
  expect(table(['cell', 'pid'], [])).toBe('cell  pid');
});

test('whatever a cell of it holds, a row is one line that steers no terminal', () => {
  const text = table(['tenant', 'reason'], [['acme', 'first\n\u001B[2Jsecond\u2028\u009B']]);
  expect(text.split('\n')).toEqual(['tenant  reason', 'acme    first\\u{a}\\u{1b}[2Jsecond\\u{2028}\\u{9b}']);
});
