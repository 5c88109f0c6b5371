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
