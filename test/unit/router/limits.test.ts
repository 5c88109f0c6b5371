// The limits that no setting changes, as the README tells them.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { LIMITS } from '../../../router/limits.ts';

test('the README lists every limit with its value, and no other', async () => {
  const readme = await readFile('README.md', 'utf8');
  const table = readme.slice(readme.indexOf('Limits that no setting changes'));
  const rows = table.slice(0, table.indexOf('\n## ')).split('\n');
  const told = rows
    .filter((row) => row.startsWith('| `'))
    .flatMap((row) => {
      const [, names = '', values = ''] = row.split('|');
      const each = values.split(',').map((value) => Number(value.trim()));
      return names.split(',').map((name, i) => [name.replaceAll('`', '').trim(), each[i]]);
    });
  expect(Object.fromEntries(told)).toEqual(LIMITS);
});
