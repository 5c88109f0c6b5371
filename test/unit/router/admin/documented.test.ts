// The admin port's codes and safety rules, as the documentation has them.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WHY } from '../../../../router/admin/carry-out.ts';
import { STATUS } from '../../../../router/admin/problem.ts';

const DOCS = readFileSync('docs/admin.md', 'utf8');

/** The rows of the table whose head has this for its first cell, their cells without the quotes of code. */
function tableOf(head: string): string[][] {
  const [, body = ''] = DOCS.split(new RegExp(`^\\| ${head} \\|.*\\n\\|[-|]+\\n`, 'm'));
  const [table = ''] = body.split('\n\n');
  return table
    .split('\n')
    .map((row) => row.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll('`', '')));
}

test('every code is documented with its status, and no other', () => {
  const documented = tableOf('code').map(([code, status]) => [code, Number(status)]);
  expect(documented).toEqual(Object.entries(STATUS));
});

test('everything that can be in the way of a change is documented, by the name that `rule` has', () => {
  const named = {
    'target-down': 'target-up',
    'target-drained': 'target-not-drained',
    'no-standby': 'standby-synced',
    'not-caught-up': 'caught-up',
  };
  const notRules = ['not-found', 'warming-up', 'handover-under-way'];
  const rules = Object.keys(WHY)
    .filter((refused) => !notRules.includes(refused))
    .map((refused) => (named as Record<string, string>)[refused] ?? refused);
  expect(
    tableOf('`rule`')
      .map(([rule = '']) => rule)
      .sort(),
  ).toEqual(rules.sort());
});

test('safety rules can be overruled, and nothing else can', () => {
  const overruled = tableOf('`rule`').filter(([, , answer = '']) => answer.startsWith('yes'));
  expect(overruled.map(([rule = '']) => rule).sort()).toEqual([
    'caught-up',
    'standby-synced',
    'target-not-drained',
    'target-up',
  ]);
});
