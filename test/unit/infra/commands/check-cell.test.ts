// What `cellgate check-cell` takes, and what it prints.
import { expect, test } from 'vitest';
import { checkCellCommand, reportText } from '../../../../infra/commands/check-cell.ts';

test.each<[string, string[]]>([
  ['a name', ['cell-a']],
  ['a path', ['http://127.0.0.1:1/health']],
  ['a password', ['http://user:secret@127.0.0.1:1']],
  ['another protocol', ['ftp://127.0.0.1']],
  ['no such level', ['http://127.0.0.1:1', '--level', '3']],
  ['a level that needs rules', ['http://127.0.0.1:1', '--level', '1']],
  ['a home that is no cell', ['http://127.0.0.1:1', '--home', 'Cell A']],
])('%s is bad input', async (_what, args) => {
  const command = checkCellCommand(() => undefined)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow(/allowed|--bring-rules/i);
});

test('the requirements are told by level, and whatever a cell answers steers no terminal', () => {
  const text = reportText({
    level: null,
    findings: [
      { level: 1, requirement: 'two', holds: null, result: 'not tried: so' },
      { level: 0, requirement: 'one', holds: false, result: 'a\n\u001B[2J' },
    ],
  });
  expect(text.split('\n')).toEqual([
    'level  requirement  result',
    '0      one          a\\u{a}\\u{1b}[2J',
    '1      two          not tried: so',
    'no level',
  ]);
});
